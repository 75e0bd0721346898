"""Modules of the default releases share the versions of their libraries."""

from __future__ import annotations

import pytest

from toolchain.manifest import ROOT, manifest
from upkeep import align


def test_modules_of_the_default_releases_take_one_version_of_each_library_that_they_share() -> None:
    versions = {
        name: align.taken((ROOT / "modules" / name / "go.mod").read_text())
        for name in align.modules(manifest())
    }
    assert len(versions) >= 3
    assert align.differing(versions) == {}, "run: python -m releases align"


def test_a_replaced_library_counts_with_the_version_that_stands_for_it() -> None:
    text = """module x

go 1.26

require (
\tk8s.io/api v0.35.0 // indirect
\texample.org/forked v1.0.0
)

replace (
\tk8s.io/api => k8s.io/api v0.35.3
\texample.org/forked => example.com/fork v1.2.0
)
"""
    assert align.taken(text) == {"k8s.io/api": "v0.35.3", "example.org/forked": "v1.0.0"}


def test_libraries_that_are_apart_may_differ() -> None:
    of = {"a": {"github.com/pulumi/esc": "v0.1.0", "x/y": "v1.0.0"}, "b": {"github.com/pulumi/esc": "v0.2.0"}}
    assert align.differing(of) == {}
    assert align.differing({**of, "c": {"x/y": "v1.0.1"}}) == {"x/y": {"a": "v1.0.0", "c": "v1.0.1"}}


def test_versions_have_the_order_of_the_specification() -> None:
    ascending = [
        "v0.0.0-20250303144028-a0af3efb3deb",
        "v0.0.0-20251213004720-97cd9d5aeac2",
        "v0.9.0",
        "v0.10.0",
        "v1.0.3-0.20250322232337-35a7c28c31ee",
        "v1.0.3-rc.1",
        "v1.0.3-rc.1.0.20260209142455-7fea5efd57ca",
        "v1.0.3-rc.2",
        "v1.0.3-rc.11",
        "v1.0.3",
        "v5.9.11+incompatible",
    ]
    assert sorted(set(ascending), key=align.precedence) == ascending
    with pytest.raises(Exception, match="master is no version"):
        align.precedence("master")
