"""Every container says what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from policies.resource_requests import POLICY
from tests.unit.policies.support import changed, pod_of, violations, web

RESOURCES = ("spec", "template", "spec", "containers", 0, "resources")


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"requests": {"cpu": "50m", "memory": "64Mi"}}, None),
        ({"limits": {"cpu": "50m", "memory": "64Mi"}}, None),
        ({"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi"}}, None),
        ({"requests": {"cpu": "50m"}}, "no memory"),
        ({"requests": {"memory": "64Mi"}}, "no cpu"),
        ({}, "no cpu and no memory"),
    ],
)
def test_processor_time_and_memory_are_requested(resources: dict[str, Any], words: str | None) -> None:
    said = violations(POLICY, changed(web()[2], resources, *RESOURCES))
    assert [entry for entry in said if words and entry.endswith(words)] == said
    assert bool(said) is (words is not None)


def test_init_containers_are_looked_at_and_ephemeral_ones_can_have_none() -> None:
    container = changed({**pod_of(web())["containers"][0], "name": "other"}, {}, "resources")
    deployment = web()[2]
    assert (
        len(
            violations(POLICY, changed(deployment, [container], "spec", "template", "spec", "initContainers"))
        )
        == 1
    )
    path = ("spec", "template", "spec", "ephemeralContainers")
    assert violations(POLICY, changed(deployment, [container], *path)) == []
