"""Which roles a phase runs, and the digest of everything that they consist of."""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

PLAYBOOKS = Path(__file__).resolve().parent
# Compiled by whoever imports a module from here; never read by Ansible.
_IGNORED = {"__pycache__"}


class Phase(StrEnum):
    """One step of a host's way; each is a play of its own in `playbooks/phases/`."""

    PREPARE = "prepare"
    CONTROL_PLANE = "control-plane"
    JOIN = "join"
    EDGE = "edge"


_ROLES: dict[Phase, tuple[str, ...]] = {
    Phase.PREPARE: ("base", "container_runtime", "images", "kubelet", "pod_network"),
    Phase.CONTROL_PLANE: ("control_plane",),
    Phase.JOIN: ("join",),
    Phase.EDGE: ("gdnsd",),
}


def roles_of(phase: Phase) -> tuple[str, ...]:
    """The roles that the phase's play runs, in order."""
    return _ROLES[phase]


def playbook_of(phase: Phase) -> Path:
    """The phase's play."""
    return PLAYBOOKS / "phases" / f"{phase.replace('-', '_')}.yml"


def modules_of(phase: Phase, playbooks: Path = PLAYBOOKS) -> tuple[Path, ...]:
    """The modules in `library/` that tasks of the phase's roles use, sorted."""
    tasks = "".join(
        file.read_text()
        for role in roles_of(phase)
        for file in sorted((playbooks / "roles" / role).glob("tasks/*"))
    )
    modules = sorted((playbooks / "library").glob("*.py"))
    return tuple(module for module in modules if re.search(rf"^\s+{module.stem}:", tasks, re.MULTILINE))


def roles_digest(phase: Phase, playbooks: Path = PLAYBOOKS) -> str:
    """SHA-256 (hex) over names and contents of the phase's play, its roles and the modules that these use.

    Two trees with the same digest do the same to a host that is given the same variables.
    """
    files = [playbooks / playbook_of(phase).relative_to(PLAYBOOKS), *modules_of(phase, playbooks)]
    for role in roles_of(phase):
        files += [file for file in (playbooks / "roles" / role).rglob("*") if file.is_file()]
    digest = sha256()
    for file in sorted(file for file in files if not _IGNORED.intersection(file.parts)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(playbooks).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
