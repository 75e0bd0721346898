"""Sealed plans: what a gate let pass, bound to all that it was found with, for `crossmesh up --plan`."""
