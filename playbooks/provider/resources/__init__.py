"""The kinds of resources, one module each."""
