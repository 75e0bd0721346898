"""Claim 7: after `pulumi destroy` and the end of the lab, nothing is left. This file is the last."""

from __future__ import annotations

from tests.lab import traces
from tests.lab.conftest import BroughtUp, Down


def test_destroy_empties_the_state_and_stopping_the_lab_leaves_no_trace(
    platform: BroughtUp, down: Down
) -> None:
    """Claim 7: no process, mount, bridge, namespace, route, firewall rule, cgroup, changed sysctl or state
    left.
    """
    site = platform.site
    running = traces.read(site.name, site.mark)
    # What is looked for can be seen while it is there, or its absence would prove nothing.
    for kind in ("processes", "namespaces", "links", "routes", "state"):
        assert getattr(running, kind), kind
    site.destroy()
    down.destroyed = True
    stacks = site.run("pulumi", "stack", "ls", "--json").stdout
    assert site.name not in stacks
    site.stop()
    after = traces.read(site.name, site.mark)
    for kind in ("processes", "mounts", "routes", "addresses", "cgroups", "state"):
        assert not getattr(after, kind), (kind, getattr(after, kind))
    assert not any(f"cm-{site.name}" in line for line in after.namespaces | after.links)


def test_stopping_twice_is_no_error(platform: BroughtUp) -> None:
    """Claim 7: from whatever state, also from none."""
    assert platform.site.lab("stop").returncode == 0
