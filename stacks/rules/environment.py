"""Rules over what several columns have: versions and images."""

from __future__ import annotations

import releases
from stacks.errors import KeyPath
from stacks.model import Versions
from stacks.rules.check import Check


def versions_are_supported(check: Check) -> None:
    """A version is one of those that were tested.

    Another fails late, at a download, or in ways that nobody has seen.
    """
    for part in Versions.model_fields:
        version, versions = getattr(check.environment.versions, part), releases.versions(part)
        if check.intact("versions", part) and version not in versions:
            check.problem(
                ("versions", part),
                version,
                f"supported versions of {part}: {', '.join(versions)}",
                f"write {versions[-1]}",
            )


def images_have_a_fixed_tag(check: Check) -> None:
    """An image names a tag other than `latest`, or a digest.

    Otherwise two nodes may run two different programs.
    """
    images: dict[KeyPath, str] = {("probeImage",): check.environment.probe_image}
    for name, application in check.environment.applications.items():
        images["applications", name, "image"] = application.image
    for path, image in images.items():
        if "@sha256:" in image:
            continue
        _, _, tag = image.rpartition("/")[2].partition(":")
        if not tag or tag == "latest":
            check.problem(
                path,
                image,
                "an image has a tag other than `latest`, or a digest",
                f"write {image.removesuffix(':latest').removesuffix(':')}:<version>",
            )


RULES = (
    versions_are_supported,
    images_have_a_fixed_tag,
)
