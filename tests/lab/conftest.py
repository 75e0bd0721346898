"""One platform for all tests of this directory: brought up once, torn down however they end.

`CROSSMESH_TEST_STACK` names its lab and stack (default `test-ci`); logs of all commands are kept in
`CROSSMESH_TEST_LOGS` (default: a temporary directory). With `CROSSMESH_TEST_KEEP` set, the platform is left
running for a further run of single files; without it, a platform of that name that is there already is
refused.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from access.outputs import Outputs
from lab import tools
from tests.lab import promises, traces
from tests.lab.segments import Network
from tests.lab.site import Site

KEEP = bool(os.environ.get("CROSSMESH_TEST_KEEP"))
NAME = os.environ.get("CROSSMESH_TEST_STACK", "test-ci")


def log_directory() -> Path:
    """Where logs go: a new directory for every run."""
    base = Path(os.environ.get("CROSSMESH_TEST_LOGS") or Path(tempfile.gettempdir()) / "crossmesh-test-logs")
    return base / time.strftime("%Y%m%d-%H%M%S")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this needs machines; each test waits for programs that bound their own time."""
    for item in items:
        if "tests/lab" in str(item.path):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(2700))


@dataclass
class Down:
    """Whether the platform was torn down already."""

    destroyed: bool = False


@dataclass(frozen=True)
class BroughtUp:
    """The platform, with what was recorded while it was brought up."""

    site: Site
    previewed: frozenset[str]
    """URNs that the preview before anything existed announced."""
    created: frozenset[str]
    """URNs that are in the state afterwards."""
    outputs: Outputs
    promised: dict[str, tuple[str, Any]]
    """What the gate, without a network, said before anything existed: operation and inputs by URN."""
    did: dict[str, tuple[str, Any]]
    """What was there after `up`."""


@pytest.fixture(scope="session")
def down() -> Down:
    """The record of the tear-down."""
    return Down()


@pytest.fixture(scope="session")
def machines(down: Down) -> Iterator[Site]:
    """A lab that runs and a stack that was never brought up. At the end, nothing of either is left."""
    site = Site(NAME, log_directory())
    before = traces.read(site.name, site.mark)
    if KEEP:
        if not before.processes:
            site.prepare()
        yield site
        return
    leftover = before.processes | before.mounts
    words = f"lab {NAME} exists already; stop it first: `python -m lab stop --name {NAME}`"
    assert not leftover, f"{words}: {sorted(leftover)}"
    try:
        site.prepare()
        yield site
    finally:
        tear_down(site, before, down)


def tear_down(site: Site, before: traces.Traces, down: Down) -> None:
    """`pulumi destroy`, stop the lab, and assert that no trace is left."""
    failure: BaseException | None = None
    try:
        if not down.destroyed and site.directory.exists() and site.resources():
            site.destroy()
        down.destroyed = True
    except BaseException as error:
        failure = error
    site.stop()
    deadline = time.monotonic() + 20
    while True:
        left = traces.left_behind(before, traces.read(site.name, site.mark), site.name)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(1)
    if failure is not None:
        raise failure
    assert not left, f"left behind: {json.dumps(left, indent=2)}"


@pytest.fixture(scope="session")
def announced(machines: Site) -> frozenset[str]:
    """URNs that a preview announced before anything existed."""
    record = machines.directory / "announced.json"
    if not record.exists():
        record.write_text(json.dumps(sorted(preview_urns(machines))))
    return frozenset(json.loads(record.read_text()))


@pytest.fixture(scope="session")
def gated(machines: Site) -> Path:
    """The gate's answer on an environment that does not exist, from a place without a network."""
    answer = machines.directory / "gate-before.json"
    if not answer.exists():
        ended = machines.without_network("gate", "--report", f"json={answer}")
        assert ended.returncode == 0, ended.words
    return answer


@pytest.fixture(scope="session")
def platform(machines: Site, announced: frozenset[str], gated: Path) -> BroughtUp:
    """The platform, brought up with the commands that users use."""
    record = machines.directory / "applied.json"
    if not record.exists():
        machines.up()
        record.write_text(json.dumps(machines.resources()))
    did = promises.of_state(json.loads(record.read_text()))
    promised = promises.of_report(gated, machines.name)
    return BroughtUp(machines, announced, frozenset(did), machines.outputs(), promised, did)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    tools.ensure()
    with Network(tmp_path) as network:
        yield network


def preview_urns(site: Site) -> frozenset[str]:
    """URNs that `pulumi preview` says it would create."""
    # As one document, `--json` panics over secrets of clusters that do not exist yet; as events it does not.
    site.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = "true"
    try:
        preview = site.pulumi("preview", "--json", timeout=600)
    finally:
        del site.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"]
    found = set()
    for line in preview.stdout.splitlines():
        metadata = (json.loads(line).get("resourcePreEvent") or {}).get("metadata")
        if metadata and metadata["op"] == "create":
            found.add(metadata["urn"])
    return frozenset(found)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long matrices run only when they are asked for by their path."""
    asked = any("acceptance" in str(argument) for argument in config.invocation_params.args)
    return True if collection_path.name == "acceptance" and not asked else None
