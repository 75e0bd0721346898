"""Images are pinned: two nodes, or one node on two days, run the same program."""

from __future__ import annotations

from collections.abc import Iterator

from policies.objects import Object, at, containers, items, pod_template
from policies.policy import of_object

_INJECTED = "auto"
"""Stands in a gateway's pod for the image that the injector puts there: of the control plane's version."""
_TEMPLATES = "inject.istio.io/templates"


def _find(type: str, props: Object) -> Iterator[str]:
    template = pod_template(type, props)
    templates = str(at(template, "metadata", "annotations").get(_TEMPLATES) or "").split(",")
    for what, image in _images(at(template, "spec")):
        if image == _INJECTED and "gateway" in templates and what == "container istio-proxy":
            continue
        if not pinned(image):
            yield f"{what} runs the image {image or '(none)'}, whose content may change under it"


def _images(pod: Object) -> Iterator[tuple[str, str]]:
    for what, container in containers(pod):
        yield what, str(container.get("image") or "")
    for volume in items(pod, "volumes"):
        if volume.get("image"):
            yield f"volume {volume.get('name')}", str(at(volume, "image").get("reference") or "")


def pinned(image: str) -> bool:
    """Whether an image's name has a digest, or a tag other than `latest`."""
    if "@sha256:" in image:
        return True
    _, _, tag = image.rpartition("/")[2].partition(":")
    return bool(tag) and tag != "latest"


POLICY = of_object(
    "images-pinned",
    "Every image has a tag other than latest, or a digest",
    "Write image: NAME:VERSION, or NAME@sha256:DIGEST. Without, a restart may bring another program, and "
    "going back to the last change does not bring the old one.",
    _find,
)
