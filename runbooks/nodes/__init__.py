"""Nodes of a running cluster: taken out of service and brought back."""
