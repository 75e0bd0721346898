"""The floor that a bring-up is compared with: the same engine, provider and API server on the plainest
objects.

As many ConfigMaps as the platform has resources are made and looked at again, on one of its own clusters, in
the same run. What the platform takes beyond that is its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "crossmesh-benchmark"

_PROJECT = "name: floor\nruntime: python\n"
_PROGRAM = f'''
import os
import pulumi
import pulumi_kubernetes as k8s

provider = k8s.Provider("cluster", kubeconfig=pulumi.Output.secret(os.environ["FLOOR_KUBECONFIG"]))
options = pulumi.ResourceOptions(provider=provider)
space = k8s.core.v1.Namespace("space", metadata={{"name": "{NAMESPACE}"}}, opts=options)
for number in range(int(os.environ["FLOOR_COUNT"])):
    metadata = {{"name": f"floor-{{number}}", "namespace": space.metadata.name}}
    k8s.core.v1.ConfigMap(f"floor-{{number}}", metadata=metadata, data={{"n": str(number)}}, opts=options)
'''


@dataclass(frozen=True)
class Floor:
    """Seconds of `pulumi up` for `objects` ConfigMaps: the first time, and again with nothing to do."""

    objects: int
    up_seconds: float
    again_seconds: float


def measure(directory: Path, kubeconfig: str, objects: int, environment: Mapping[str, str]) -> Floor:
    """Measure the floor on a cluster, and remove everything again. `directory` must be empty and private."""
    (directory / "Pulumi.yaml").write_text(_PROJECT)
    (directory / "__main__.py").write_text(_PROGRAM)
    given = {**environment, "FLOOR_KUBECONFIG": kubeconfig, "FLOOR_COUNT": str(objects)}

    def pulumi(*arguments: str) -> float:
        began = time.monotonic()
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=directory,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"pulumi {' '.join(arguments)} failed: {(done.stderr + done.stdout)[-2000:]}")
        return time.monotonic() - began

    pulumi("stack", "init", "floor")
    try:
        up = pulumi("up", "--yes", "--skip-preview", "--stack", "floor")
        again = pulumi("up", "--yes", "--skip-preview", "--stack", "floor")
    finally:
        pulumi("destroy", "--yes", "--stack", "floor")
        pulumi("stack", "rm", "--yes", "--stack", "floor")
    return Floor(objects, up, again)
