"""Time each step of a bring-up: `python -m benchmarks.bring_up`.

Brings up the reference platform on a lab of its own, from nothing to the first answer, then `up` again, and
measures the floor (`benchmarks.floor`) on the same machine in the same run. The toolchain and the lab's
caches are made first and do not count. Writes JSON and pictures to `docs/benchmarks/`.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from access import network
from benchmarks import floor, picture
from gate import timeline as events
from tests.lab.acceptance import results
from tests.lab.clients import addresses, curl
from tests.lab.site import ROOT, Site

ANSWER_SECONDS = 60.0


class Steps:
    """Steps one after the other, each with its start and length in seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.found: list[dict[str, Any]] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._began

    def add(self, name: str, start: float, **more: Any) -> dict[str, Any]:
        """Record a step that began at `start` and ends now."""
        step = {"name": name, "start": round(start, 2), "seconds": round(self.elapsed - start, 2), **more}
        self.found.append(step)
        click.echo(f"{step['seconds']:7.1f} s  {name}", err=True)
        return step


def measure(site: Site) -> dict[str, Any]:
    """Bring the site up and measure. The site is left running."""
    site.environment["PULUMI_DEBUG_COMMANDS"] = "1"  # shows the flag --event-log
    log = site.directory / "up.events"
    steps = Steps()
    start = steps.elapsed
    site.lab("start")
    steps.add("lab start", start)
    start = steps.elapsed
    site.declare()
    steps.add("stack and root key", start)
    start = steps.elapsed
    site.up("--skip-preview", "--event-log", str(log))
    found = events.phases(events.spans(events.read_events(log)))
    steps.add("pulumi up", start, phases=[asdict(phase) for phase in found])
    start = steps.elapsed
    wait_for_answer(site)
    steps.add("first answer", start)
    first = steps.elapsed
    again = site.up("--skip-preview", "--expect-no-changes")
    click.echo(f"{again.seconds:7.1f} s  pulumi up, again", err=True)
    count = len(site.resources())
    with tempfile.TemporaryDirectory(prefix="crossmesh-floor-") as directory:
        least = floor.measure(Path(directory), site.outputs().kubeconfigs["eu"], count, site.environment)
    up_seconds = next(step["seconds"] for step in steps.found if step["name"] == "pulumi up")
    return {
        "firstAnswerSeconds": round(first, 1),
        "secondUpSeconds": round(again.seconds, 1),
        "resources": count,
        "steps": steps.found,
        "floor": asdict(least),
        "ratios": {
            "up": round(up_seconds / least.up_seconds, 2),
            "secondUp": round(again.seconds / least.again_seconds, 2),
        },
    }


def wait_for_answer(site: Site) -> None:
    """Wait until a name server names a gateway that answers 200. At most ten questions a second."""
    outputs = site.outputs()
    deadline = time.monotonic() + ANSWER_SECONDS
    said = "no name server answers"
    while time.monotonic() < deadline:
        for server in outputs.nameservers:
            answer = network.ask(server, outputs.host)
            for address in sorted(addresses(server, outputs.host)[0]) if not answer.problem else ():
                curled = curl(outputs, address, "/assetconsumer")
                if curled.status == 200:
                    return
                said = f"{address} answers {curled.status} {curled.problem}"
        time.sleep(0.1)
    raise click.ClickException(f"no answer within {ANSWER_SECONDS:.0f} s: {said}")


@click.command()
@click.option(
    "--name",
    default="test-bench",
    show_default=True,
    help="Name of the lab and of the stack; both are made anew.",
)
@click.option(
    "--output", default=ROOT / "docs" / "benchmarks", type=click.Path(path_type=Path), show_default=True
)
def main(name: str, output: Path) -> None:
    """Measure a bring-up from an empty lab, and write figures and pictures."""
    with tempfile.TemporaryDirectory(prefix="crossmesh-logs-") as logs:
        site = Site(name, Path(logs))
        try:
            click.echo("making the caches: they do not count", err=True)
            site.lab("start")
            site.lab("stop")
            result = measure(site)
            site.destroy()
        finally:
            site.stop()
    document = {
        "benchmark": "bring-up",
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": results.commit(),
        "machine": results.machine(),
        **result,
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "bring-up.json").write_text(json.dumps(document, indent=2) + "\n")
    for ending in ("svg", "png"):
        picture.draw(document, output / f"bring-up.{ending}")
    click.echo(
        f"first answer after {result['firstAnswerSeconds']} s, second up {result['secondUpSeconds']} s; "
        f"wrote {output}/bring-up.json, .svg, .png"
    )


if __name__ == "__main__":
    main()
