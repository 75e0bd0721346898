"""Running the mirror's server inside the lab's network."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from lab import cgroups, network
from lab.addressing import LabAddresses
from lab.errors import LabError
from lab.mirror import packages, tree
from lab.spec import LabSpec
from toolchain import ToolchainError

GROUP = "_mirror"
PORT = 80


def running(addresses: LabAddresses) -> bool:
    """Whether the mirror's server runs."""
    return bool(cgroups.processes(addresses.name, GROUP))


def check() -> None:
    """Check, without building anything, that the mirror can be built. Raises LabError."""
    try:
        packages.inputs()
    except ToolchainError as error:
        raise LabError(f"the mirror cannot be built: {error}") from error


def start(spec: LabSpec, addresses: LabAddresses, state: Path) -> None:
    """Bring the mirror's tree up to date and serve it. Returns when it answers. Raises LabError."""
    root = tree.build(spec, state / "mirror")
    if running(addresses) and _answers(addresses, spec):
        return
    cgroups.kill(addresses.name, GROUP)
    argv = [sys.executable, "-m", "lab.mirror.server", str(root), addresses.mirror, str(PORT)]
    log = state / "log" / "mirror.log"
    network.serve(addresses, GROUP, argv, log, lambda: _answers(addresses, spec), "the mirror's server")


def _answers(addresses: LabAddresses, spec: LabSpec) -> bool:
    # Straight to the lab's own address: a proxy of the environment has no business here.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{addresses.mirror}/apt/dists/{spec.suite}/InRelease", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
