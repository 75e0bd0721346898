"""The gate: what a change does to an environment, whether it may, and proof that it is what is applied."""
