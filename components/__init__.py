"""Pulumi component resources: what an environment consists of, one component per file.

`Platform` is the root. Components take plain values for whatever decides names, counts and order, and
`pulumi.Input` only for what is known late, so a preview of an environment that does not exist yet registers
every resource that `up` will create. Manifests are built by the pure functions of `components.manifests`.
"""
