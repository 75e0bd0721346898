"""Running the mirror's server inside the lab's network."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from lab import cgroups, network
from lab.addressing import LabAddresses
from lab.commands import environment
from lab.errors import LabError
from lab.mirror import packages, tree
from lab.spec import LabSpec
from toolchain import ToolchainError

GROUP = "_mirror"
PORT = 80
_START_TIMEOUT_S = 10.0
_PROJECT = Path(__file__).resolve().parents[2]


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
    log = state / "log" / "mirror.log"
    log.parent.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "lab.mirror.server", str(root), addresses.mirror, str(PORT)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            cgroups.entering(cgroups.create(addresses.name, GROUP), network.inside(addresses, argv)),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment({"PYTHONPATH": str(_PROJECT)}), cwd="/", start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _answers(addresses, spec):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"the mirror's server did not start:\n    {log.read_text().strip()[-800:]}")
        time.sleep(0.05)


def _answers(addresses: LabAddresses, spec: LabSpec) -> bool:
    # Straight to the lab's own address: a proxy of the environment has no business here.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{addresses.mirror}/apt/dists/{spec.suite}/InRelease", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
