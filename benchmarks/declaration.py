"""Declarations of platforms of any size, for measuring how cost grows with it."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import yaml

from stacks.errors import ENVIRONMENT, LEDGER
from stacks.ledger import Ledger, assign
from stacks.model import Environment

MOST_CLUSTERS = 250
"""There is a machine network for each in `10.0.0.0/16`."""

_ADOPTED_EVERY = 5
_EDGES_EVERY = 5
_ROUTERS = 64512
_DOMAIN = "scale.example.com"
_APPLICATIONS = ("asset-consumer-svc", "asset-dashboard-bff-svc", "asset-mgr-ms-svc")
_SECRET = "kubeconfig"


def stack_text(clusters: int) -> str:
    """The text of a stack file with that many clusters, its ledger included; the same for the same number.

    Of every five clusters four are on bare metal and one is adopted, so two clusters are two on bare metal.
    What runs in each is what runs in the reference environment. Raises `ValueError` unless `clusters` is
    between 1 and `MOST_CLUSTERS`.
    """
    if not 1 <= clusters <= MOST_CLUSTERS:
        raise ValueError(f"{clusters} clusters: between 1 and {MOST_CLUSTERS} can be declared")
    declared = environment(clusters)
    ledger = assign(Environment.model_validate(declared), Ledger())
    config = {
        "pulumi:disable-default-providers": ["kubernetes"],
        str(ENVIRONMENT[-1]): declared,
        str(LEDGER[-1]): ledger.model_dump(mode="json", by_alias=True),
    }
    secrets = {
        f"crossmesh:{spec['cluster']['kubeconfigSecret']}": {"secure": "set-when-there-is-one"}
        for spec in declared["regions"].values()
        if spec["cluster"]["kind"] == "adopted"
    }
    return yaml.safe_dump({"config": config | secrets}, sort_keys=False, width=110)


def environment(clusters: int) -> dict[str, Any]:
    """The value of `crossmesh:environment` with that many clusters, as a stack file holds it."""
    return {
        "domain": _DOMAIN,
        "addresses": {"podPool": "10.64.0.0/10", "servicePool": "10.128.0.0/12"},
        # Nothing is installed: what is measured is the declaration.
        "sources": {"apt": []},
        "ssh": {
            "user": "ops",
            "privateKeyFile": "~/.ssh/scale",
            "knownHostsFile": "~/.ssh/known_hosts.scale",
        },
        "regions": {f"region-{number:03d}": _region(number) for number in range(1, clusters + 1)},
        "mesh": {"id": "scale", "trustDomain": _DOMAIN},
        "namespaces": {"greencompute": {"podSecurity": "privileged"}},
        "applications": {name: _application(name) for name in _APPLICATIONS},
        "ingresses": {
            "assetmanagement": {
                "namespace": "greencompute",
                "host": f"assetmanagement.greencompute.{_DOMAIN}",
                "paths": [{"path": "/" + name.split("-")[1], "application": name} for name in _APPLICATIONS],
            }
        },
        "globalLoadBalancer": {},
    }


def _region(number: int) -> dict[str, Any]:
    machines = IPv4Network(f"10.0.{number}.0/24")
    found: dict[str, Any] = {
        "machineNetwork": str(machines),
    }
    if number % _ADOPTED_EVERY == 0:
        return found | {"cluster": _adopted(number)}
    name = f"region-{number:03d}"
    return found | {
        "fabric": {"asn": _ROUTERS + number, "peers": [{"address": str(machines[1]), "asn": _ROUTERS}]},
        "loadBalancer": {"first": str(machines[200]), "last": str(machines[239])},
        "cluster": {
            "kind": "bareMetal",
            "nodes": {
                f"{name}-cp-1": {"address": str(machines[11]), "role": "control-plane"},
                f"{name}-worker-1": {"address": str(machines[21]), "role": "worker"},
                f"{name}-worker-2": {"address": str(machines[22]), "role": "worker"},
            },
        },
        "edges": {f"{name}-edge-1": {"address": str(machines[31])}} if number % _EDGES_EVERY == 1 else {},
    }


def _adopted(number: int) -> dict[str, str]:
    return {
        "kind": "adopted",
        "kubeconfigSecret": f"{_SECRET}{number:03d}",
        "podCidr": f"172.{16 + number // 16}.{number % 16 * 16}.0/20",
        "serviceCidr": f"192.168.{number}.0/24",
    }


def _application(name: str) -> dict[str, Any]:
    return {
        "namespace": "greencompute",
        "image": f"registry.example.com/greencompute/{name}:1.0.0",
        "replicas": 2,
    }
