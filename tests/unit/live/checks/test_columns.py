"""All checks of the reference platform: the columns cover it from the name to the pod."""

from __future__ import annotations

from live.checks import COLUMNS
from tests.unit.operations.support import make_platform


def test_each_check_is_shown_in_its_column() -> None:
    platform = make_platform()
    for column in COLUMNS:
        assert {check.link for check in column.checks(platform)} == {column.__name__.rpartition(".")[2]}


def test_every_link_of_the_reference_platform_is_measured() -> None:
    platform = make_platform()
    kinds = [check.id.partition("/")[0] for column in COLUMNS for check in column.checks(platform)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "slices": 1,
        "nodes": 2,
        "api-server": 2,
        "coredns": 2,
        "kube-proxy": 2,
        "pod-addresses": 2,
        "flat": 2,
        "routes": 4,
        "mesh-authorities": 1,
        "identities": 2,
        "istiod": 2,
        "remote-clusters": 2,
        "endpoints": 2,
        "strict-mtls": 2,
        "application": 6,
        "metallb": 2,
        "gateway": 2,
        "gateway-address": 2,
        "gateway-readiness": 2,
        "published-ca": 1,
        "certificate": 2,
        "https": 3,
        "name-server": 2,
        "health-view": 2,
    }
