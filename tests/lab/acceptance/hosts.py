"""What is at work on a lab's machines on behalf of somebody outside."""

from __future__ import annotations

import time

from tests.lab.site import Site

# Programs that a play starts. The services that it leaves behind (kubelet, containerd, gdnsd) are none of
# them.
_AT_WORK = r"ansible|AnsiballZ|apt-get|/usr/bin/dpkg|kubeadm|ctr .*import"


def at_work(site: Site) -> dict[str, list[str]]:
    """Processes of plays on each machine; machines without any are left out."""
    found = {}
    for machine in site.machines:
        # The shell that asks has the pattern in its own arguments: brackets keep it from finding itself.
        said = site.on(machine, f"ps -eo pid=,args= | grep -E '{_AT_WORK}' | grep -vE 'grep|sh -c' || true")
        if said.strip():
            found[machine] = said.strip().splitlines()
    return found


def quiet(site: Site, seconds: float) -> dict[str, list[str]]:
    """What is still at work on the machines after at most `seconds`; empty as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while True:
        found = at_work(site)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(1)
