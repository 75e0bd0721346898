"""One list of all certificates and keys of an environment: until when each is valid, and what renews it."""
