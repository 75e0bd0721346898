"""Applications' images, where a site has them in bundles of its own."""

from __future__ import annotations

from playbooks.phase import Host, Work, is_worker
from playbooks.work.machines import PREPARE


def _bundles(host: Host) -> tuple[str, ...]:
    images = host.environment.sources.images
    return images.bundles if images else ()


WORK = (Work(PREPARE, is_worker, bundles=_bundles),)
