"""The site's router: BIRD in the lab's namespace, a BGP peer to every machine that wants one."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from lab import cgroups, network
from lab.addressing import LabAddresses
from lab.commands import run
from lab.errors import LabError
from lab.spec import LabSpec

GROUP = "_fabric"


def configuration(spec: LabSpec, addresses: LabAddresses) -> str:
    """BIRD's configuration. Raises LabError when an accepted prefix would cover the lab's own network."""
    own = ipaddress.IPv4Network(addresses.network)
    for prefix in spec.accepted_prefixes:
        if ipaddress.IPv4Network(prefix).overlaps(own):
            raise LabError(
                f"fabric.acceptedPrefixes: {prefix} overlaps {own}, the network of lab {addresses.name}",
                "choose another prefix, or another name for the lab",
            )
    accepted = ", ".join(f"{prefix}+" for prefix in spec.accepted_prefixes)
    test = f"net ~ [ {accepted} ]" if accepted else "false"
    parts = [
        f"log stderr all;\nrouter id {addresses.services_router};\n",
        f"filter declared {{\n  if {test} then accept;\n"
        '  print "refused ", net, " from ", from, ": not inside an accepted prefix";\n  reject;\n}\n',
        "protocol device {\n}\n",
        "protocol kernel {\n  ipv4 { import none; export where source = RTS_BGP; };\n}\n",
    ]
    for region, where in addresses.regions.items():
        parts.append(
            f"protocol bgp region_{region.replace('-', '_')} {{\n"
            f"  local {where.router} as {spec.fabric_asn};\n"
            f"  neighbor range {where.subnet} external;\n"
            f'  dynamic name "{region.replace("-", "_")}_";\n'
            # A dead machine's routes are gone after this many seconds.
            "  hold time 15;\n"
            # One that comes back is let in again; by default it is refused for a minute, then for two.
            "  error wait time 1, 5;\n"
            "  ipv4 { import filter declared; export where source = RTS_BGP; };\n}\n"
        )
    return "\n".join(parts)


def running(addresses: LabAddresses) -> bool:
    """Whether the router's process runs."""
    return bool(cgroups.processes(addresses.name, GROUP))


def start(spec: LabSpec, addresses: LabAddresses, state: Path) -> None:
    """Start the router, or give a running one its configuration. Raises LabError with BIRD's own words."""
    files = state / "fabric"
    files.mkdir(exist_ok=True)
    config = files / "bird.conf"
    config.write_text(configuration(spec, addresses))
    run(["bird", "-p", "-c", str(config)])
    if running(addresses):
        show(state, "configure")
        return
    (files / "bird.ctl").unlink(missing_ok=True)
    argv = ["bird", "-f", "-c", str(config), "-s", str(files / "bird.ctl"), "-P", str(files / "bird.pid")]
    ready = (files / "bird.ctl").exists
    network.serve(addresses, GROUP, argv, files / "bird.log", ready, "the lab's router")


def show(state: Path, *command: str) -> str:
    """Answer of the router to a command of BIRD's client, for example ``show("show", "route")``."""
    return run(["birdc", "-s", str(state / "fabric/bird.ctl"), *command])
