"""Objects in the form in which Kubernetes keeps them."""

from __future__ import annotations

import pytest

from components.canonical import canonical, quantity


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
def test_quantities(given: str, expected: str) -> None:
    assert quantity(given) == expected


def test_only_resources_are_rewritten() -> None:
    container = {"name": "2000m", "resources": {"limits": {"cpu": "2000m"}, "claims": [{"name": "1000m"}]}}
    assert canonical({"spec": {"containers": [container]}}) == {
        "spec": {
            "containers": [
                {"name": "2000m", "resources": {"limits": {"cpu": "2"}, "claims": [{"name": "1000m"}]}}
            ]
        }
    }


def test_an_empty_environment_variable_has_no_value() -> None:
    variables = [{"name": "A", "value": ""}, {"name": "B", "value": "b"}]
    assert canonical({"env": variables}) == {"env": [{"name": "A"}, {"name": "B", "value": "b"}]}
