"""The lab's network: one namespace with bridges and router; one interface and one route on this computer."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab import cgroups
from lab.addressing import LabAddresses
from lab.commands import detached, mounts, run
from lab.errors import LabError
from lab.host import one_at_a_time

_PROJECT = Path(__file__).resolve().parents[1]
_START_TIMEOUT_S = 10.0
NETNS_DIR = Path("/run/netns")
# The namespace's end of the host's interface.
_SERVICES = "services"

# Settings of the router, all of them of its own namespace.
_ROUTER_SETTINGS = {
    "ipv4/ip_forward": "1",
    # A pod's packets come and go through different nodes.
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    # Machines of one region may reach each other's pods through the router: no redirects to another way.
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    # What crosses a bridge is no business of the router's packet filter. Absent without br_netfilter.
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}


def inside(addresses: LabAddresses, argv: Sequence[str]) -> list[str]:
    """A command that runs ``argv`` in the lab's network namespace."""
    return ["nsenter", f"--net={NETNS_DIR / addresses.namespace}", "--", *argv]


def serve(
    addresses: LabAddresses,
    group: str,
    argv: Sequence[str],
    log: Path,
    answers: Callable[[], bool],
    what: str,
) -> None:
    """Start a program in the lab's network and a control group, and wait until ``answers`` says True.

    Its output goes to ``log``. Raises LabError with the end of that; ``what`` is the program's name there.
    """
    command = cgroups.entering(cgroups.create(addresses.name, group), inside(addresses, argv))
    process = detached(command, log, {"PYTHONPATH": str(_PROJECT)})
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"{what} did not start:\n    {log.read_text().strip()[-800:]}")
        time.sleep(0.02)


def exists(addresses: LabAddresses) -> bool:
    """Whether the lab's namespace is there."""
    return (NETNS_DIR / addresses.namespace).exists()


def up(addresses: LabAddresses) -> None:
    """Make what is missing of the lab's network; what is there already is left as it is. Raises LabError."""
    with one_at_a_time():
        if str(NETNS_DIR / addresses.namespace) not in mounts():
            # A file without a namespace behind it is what a killed `ip netns add` leaves.
            (NETNS_DIR / addresses.namespace).unlink(missing_ok=True)
            run(["ip", "netns", "add", addresses.namespace])
    # Before any interface is there, so that all of them inherit it.
    settings = [(f"/proc/sys/net/{name}", value) for name, value in _ROUTER_SETTINGS.items()]
    script = "\n".join(f"[ ! -e {path} ] || echo {value} >{path}" for path, value in settings)
    run(inside(addresses, ["/bin/sh", "-ec", script]))
    links = _links(addresses)
    batch = ["link set lo up"]
    for region in addresses.regions.values():
        if region.bridge not in links:
            batch.append(f"link add {region.bridge} type bridge")
        batch += [f"address replace {region.router}/24 dev {region.bridge}", f"link set {region.bridge} up"]
    _ip_batch(addresses, batch)
    if not Path(f"/sys/class/net/{addresses.host_interface}").exists():
        run(["ip", "link", "add", addresses.host_interface, "type", "veth", "peer", "name", _SERVICES,
             "netns", addresses.namespace])  # fmt: skip
    _ip_batch(addresses, [
        f"address replace {addresses.services_router}/24 dev {_SERVICES}",
        f"address replace {addresses.mirror}/32 dev {_SERVICES}",
        f"link set {_SERVICES} up",
    ])  # fmt: skip
    silent = Path(f"/proc/sys/net/ipv6/conf/{addresses.host_interface}/disable_ipv6")
    if silent.exists():
        silent.write_text("1")
    run(["ip", "address", "replace", f"{addresses.host}/24", "dev", addresses.host_interface])
    run(["ip", "link", "set", addresses.host_interface, "up"])
    run(["ip", "route", "replace", addresses.network, "via", addresses.services_router,
         "dev", addresses.host_interface, "src", addresses.host])  # fmt: skip


def tap(addresses: LabAddresses, region: str, machine: str) -> str:
    """Name of the interface that leads to the emulated machine of that address; made if it is missing."""
    name = f"tap-{'-'.join(machine.split('.')[2:])}"
    if name not in _links(addresses):
        _ip_batch(addresses, [
            f"tuntap add dev {name} mode tap",
            f"link set {name} master {addresses.regions[region].bridge} up",
        ])  # fmt: skip
    return name


def unplug(addresses: LabAddresses, cable: str) -> None:
    """Remove the lab's end of what led to a machine that was killed, and with it the machine's end.

    cable: its name, or the longer one that stands for it. The kernel takes a namespace down some time after
    its last process, and until then no machine of that name gets another cable. Raises LabError.
    """
    for link in _listed(addresses):
        if cable in (link["ifname"], *link.get("altnames", ())):
            try:
                run(["ip", "-netns", addresses.namespace, "link", "delete", link["ifname"]])
            except LabError:
                # In between the kernel may have come to it.
                if link["ifname"] in _links(addresses):
                    raise


def down(addresses: LabAddresses) -> None:
    """Remove the lab's interface, route and namespace, in whatever state they are."""
    with one_at_a_time():
        if Path(f"/sys/class/net/{addresses.host_interface}").exists():
            run(["ip", "link", "delete", addresses.host_interface])
        namespace = NETNS_DIR / addresses.namespace
        if namespace.exists():
            if str(namespace) in mounts():
                run(["ip", "netns", "delete", addresses.namespace])
            namespace.unlink(missing_ok=True)
        if NETNS_DIR.exists() and not any(NETNS_DIR.iterdir()):
            # `ip netns add` mounts the directory over itself; the last namespace takes it along.
            if str(NETNS_DIR) in mounts():
                run(["umount", str(NETNS_DIR)])
            if not any(NETNS_DIR.iterdir()):
                NETNS_DIR.rmdir()


def overlapping_routes(addresses: LabAddresses, routes: list[dict[str, Any]] | None = None) -> list[str]:
    """Routes of this computer into the lab's network that are not the lab's own, as text."""
    if routes is None:
        routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    network = ipaddress.IPv4Network(addresses.network)
    found = []
    for route in routes:
        if route["dst"] == "default" or route.get("dev") == addresses.host_interface:
            continue
        if ipaddress.IPv4Network(route["dst"]).overlaps(network) and route["dst"] != "0.0.0.0/0":
            found.append(f"{route['dst']} dev {route.get('dev', '?')}")
    return sorted(set(found))


def _links(addresses: LabAddresses) -> set[str]:
    """Names of the interfaces in the lab's namespace."""
    return {link["ifname"] for link in _listed(addresses)}


def _listed(addresses: LabAddresses) -> list[dict[str, Any]]:
    return list(json.loads(run(["ip", "-netns", addresses.namespace, "-json", "link", "show"])))


def _ip_batch(addresses: LabAddresses, lines: list[str]) -> None:
    run(["ip", "-netns", addresses.namespace, "-batch", "-"], stdin="\n".join(lines) + "\n")
