"""The way into a cluster while it is led to another address: the declared one, or else a control plane's own.

A kubeconfig of the declaration leads to the address that is declared now. Hosts are asked by it before that
is taken there, and after the one before is given up; the API server of each control plane is served at its
machine's own address all the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from access import kubeconfig as kubeconfigs
from access.cluster import Cluster
from access.errors import AccessError

ANSWER_SECONDS = 3.0
"""For one API server to say anything."""


class Ways:
    """What one run knows of the ways into its clusters."""

    def __init__(self) -> None:
        self._addresses: dict[str, dict[str, str]] = {}
        """Of the machines of control planes, by region and host."""
        self._declared: dict[str, str] = {}
        """Kubeconfig by region."""

    def saw(self, region: str, host: str, inputs: Mapping[str, Any], *, address: str, carries: bool) -> None:
        """Take note of a phase of a host. carries: whether it is one of a control plane."""
        if carries and address:
            self._addresses.setdefault(region, {})[host] = address
        if isinstance(kubeconfig := inputs.get("kubeconfig"), str):
            self._declared[region] = kubeconfig

    def declared(self, region: str, kubeconfig: str) -> str:
        """The kubeconfig of a region that this run declares; the one that is given where it declares none."""
        return self._declared.get(region, kubeconfig)

    async def into(self, region: str, kubeconfig: str) -> str:
        """The kubeconfig, or one that leads to a control plane's own address where only that answers."""
        server = kubeconfigs.read(kubeconfig).server
        others = (_at(server, address) for _, address in sorted(self._addresses.get(region, {}).items()))
        for url in dict.fromkeys((server, *others)):
            found = kubeconfig if url == server else kubeconfigs.leading_to(kubeconfig, url)
            if await asyncio.to_thread(_answers, region, found):
                return found
        return kubeconfig


def _at(server: str, address: str) -> str:
    return urlsplit(server)._replace(netloc=f"{address}:{urlsplit(server).port or 443}").geturl()


def _answers(region: str, kubeconfig: str) -> bool:
    """Whether the cluster's API server answers there, whatever it says."""
    try:
        with Cluster(region, kubeconfig, seconds=ANSWER_SECONDS) as cluster:
            cluster.answer("GET", "/readyz")
    except AccessError:
        return False
    return True
