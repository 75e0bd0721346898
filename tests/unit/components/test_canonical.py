"""Objects in the form in which Kubernetes keeps them."""

from __future__ import annotations

import pytest

from components.charts import canonical
from stacks.quantities import canonical_quantity, equal_quantities


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
    assert canonical_quantity(given) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1000m", 1, True),
        ("0.5", 0.5, True),
        ("1e3", "1k", True),
        ("1E", "1000P", True),
        ("1Gi", "1G", False),
        ("half", "half", False),
        (True, 1, False),
        (None, None, False),
    ],
)
def test_amounts_that_are_written_in_two_ways_are_the_same(one: object, other: object, same: bool) -> None:
    assert equal_quantities("spec.containers[0].resources.limits.cpu", one, other) is same
    assert not equal_quantities("metadata.labels.cpu", one, other)


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
