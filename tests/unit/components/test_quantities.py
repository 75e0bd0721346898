"""Canonical quantities, as Kubernetes' API machinery writes them."""

from __future__ import annotations

import pytest

from components.quantities import canonical, canonical_resources


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2000m", "2"),
        ("100m", "100m"),
        ("1.5", "1500m"),
        ("0.1", "100m"),
        ("1024Mi", "1Gi"),
        ("2048Mi", "2Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("512", "512"),
        ("1000", "1k"),
        ("1000k", "1M"),
        ("0", "0"),
        ("0Mi", "0"),
        ("-2000m", "-2"),
        ("1e3", "1e3"),
        ("half", "half"),
        ("", ""),
    ],
)
def test_canonical_form(given: str, expected: str) -> None:
    assert canonical(given) == expected


def test_only_resources_are_rewritten() -> None:
    container = {"name": "2000m", "resources": {"limits": {"cpu": "2000m"}, "claims": [{"name": "1000m"}]}}
    assert canonical_resources({"spec": {"containers": [container]}}) == {
        "spec": {
            "containers": [
                {"name": "2000m", "resources": {"limits": {"cpu": "2"}, "claims": [{"name": "1000m"}]}}
            ]
        }
    }
