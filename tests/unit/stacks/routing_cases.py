"""Environments that differ in their regions, hosts and policies alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stacks.model import Environment


def environment(
    regions: Iterable[str], hosts: Mapping[str, str], host_policies: Mapping[str, Any], **balancer: Any
) -> Environment:
    """hosts: by ingress. balancer: what is declared of it beside."""
    return Environment.model_validate(
        {
            "domain": "example.org",
            "addresses": {"podPool": "172.30.0.0/16", "servicePool": "172.31.0.0/16"},
            "regions": {
                region: {
                    "machineNetwork": f"10.{number}.0.0/16",
                    "loadBalancer": {"first": f"10.{number}.9.1", "last": f"10.{number}.9.9"},
                    "cluster": {
                        "kind": "bareMetal",
                        "nodes": {f"{region}-cp": {"address": f"10.{number}.0.11", "role": "control-plane"}},
                    },
                    "edges": {f"{region}-edge": {"address": f"10.{number}.0.13"}},
                }
                for number, region in enumerate(regions, 101)
            },
            "mesh": {"id": "test", "trustDomain": "example.org"},
            "namespaces": {"web": {}},
            "applications": {"wiki": {"namespace": "web", "image": "registry.example.org/wiki:1"}},
            "ingresses": {
                name: {"namespace": "web", "host": host, "paths": [{"path": "/", "application": "wiki"}]}
                for name, host in hosts.items()
            },
            "globalLoadBalancer": {"hostPolicies": dict(host_policies), **balancer},
        }
    )
