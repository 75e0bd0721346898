"""The mesh's programs run as pods, on workers alone: hosts have their images."""

from __future__ import annotations

from playbooks.phase import Work, bundle, is_worker
from playbooks.work.machines import PREPARE

WORK = (Work(PREPARE, is_worker, bundles=bundle("istio", "istio")),)
