"""The `crossmesh` command: what operators run beside `pulumi`."""
