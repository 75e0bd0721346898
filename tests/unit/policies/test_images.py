"""Images are pinned."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named
from policies.images import POLICY, pinned
from report.model import UNKNOWN
from tests.unit.policies.support import NOT_KNOWN, changed, violations, web

IMAGE = ("spec", "template", "spec", "containers", 0, "image")
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "good"),
    [
        ("web:1.2.3", True),
        ("web:latest", False),
        ("web", False),
        ("web:", False),
        ("registry.example.com:5000/web", False),
        ("registry.example.com:5000/web:1", True),
        (f"registry.example.com/web@{DIGEST}", True),
        (f"registry.example.com/web:latest@{DIGEST}", True),
        ("", False),
    ],
)
def test_a_tag_other_than_latest_or_a_digest_pins_an_image(image: str, good: bool) -> None:
    assert pinned(image) is good
    assert (violations(POLICY, changed(web()[2], image, *IMAGE)) == []) is good


def gateway(**annotations: str) -> Manifest:
    pod = {"containers": [{"name": "istio-proxy", "image": "auto"}]}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    return named("apps/v1", "Deployment", "gateway", "istio-ingress", spec={"template": template})


def test_a_gateways_image_is_the_injectors_matter() -> None:
    assert violations(POLICY, gateway(**{"inject.istio.io/templates": "gateway"})) == []


def test_without_the_injectors_template_auto_is_an_image_like_others() -> None:
    assert len(violations(POLICY, gateway())) == 1


@pytest.mark.parametrize(("reference", "count"), [("data:1", 0), ("data:latest", 1)])
def test_images_that_are_mounted_are_looked_at(reference: str, count: int) -> None:
    volumes: Any = [{"name": "data", "image": {"reference": reference}}]
    assert len(violations(POLICY, changed(web()[2], volumes, "spec", "template", "spec", "volumes"))) == count


def test_an_image_that_is_not_known_is_not_passed_over() -> None:
    assert violations(POLICY, changed(web()[2], UNKNOWN, *IMAGE)) == [NOT_KNOWN]
