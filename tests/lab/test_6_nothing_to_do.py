"""Claim 6: a second `up` changes nothing and touches no host; the preview announced exactly what `up`
created.
"""

from __future__ import annotations

import json
import time

from tests.lab.conftest import BroughtUp


def test_the_preview_before_anything_existed_listed_all_that_up_created(platform: BroughtUp) -> None:
    """Claim 6: `pulumi preview` before anything exists lists every resource that `up` then creates."""
    assert platform.created - platform.previewed == frozenset()
    assert platform.previewed - platform.created == frozenset()
    assert len(platform.created) > 100


def test_up_again_changes_nothing_and_opens_no_session_on_any_host(platform: BroughtUp) -> None:
    """Claim 6: every resource unchanged, no new ssh session in any host's journal.

    How long that takes is measured beside a floor, by `python -m benchmarks.bring_up`.
    """
    site = platform.site
    time.sleep(1.1)
    since = time.time()
    ended = site.up("--expect-no-changes")
    until = time.time()
    assert f"{len(platform.created)} unchanged" in ended.words, ended.words[-2000:]
    time.sleep(1.1)
    sessions = site.ssh_sessions(since, until)
    assert set(sessions) == set(site.machines)
    assert not any(sessions.values()), sessions


def test_the_journals_do_record_sessions(platform: BroughtUp) -> None:
    """Claim 6: the measurement itself can fail: a session that is opened on purpose is found."""
    since = time.time() - 1
    platform.site.on("eu-edge-1", "true")
    time.sleep(1.1)
    assert platform.site.ssh_sessions(since, time.time())["eu-edge-1"]


def test_refresh_finds_the_world_as_it_was_left(platform: BroughtUp) -> None:
    """Claim 6: nothing that runs in the clusters rewrites what was declared."""
    flags = ("--preview-only", "--expect-no-changes")
    ended = platform.site.pulumi("refresh", *flags, timeout=300, check=False)
    assert ended.returncode == 0, ended.words[-3000:]


def test_nothing_stands_against_hosts_that_are_nodes_already(platform: BroughtUp) -> None:
    """What is ours is no stranger: the preflight of a running platform refuses none of its hosts."""
    assert platform.site.crossmesh("preflight").returncode == 0
    seen = json.loads(platform.site.crossmesh("hosts", "--json").stdout)
    assert {entry["host"] for entry in seen} == set(platform.site.machines)
    assert all(entry["host_key"].endswith(", known") for entry in seen), seen
    assert all(entry["distribution"].startswith("Debian") for entry in seen), seen
