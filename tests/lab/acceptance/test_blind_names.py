"""An edge host under a load of 50 for ten minutes; then what its work costs, beside the earlier way.

Gateways and prober are killed and stopped in turn: answers are right within the bound, and nothing spins.
`make acceptance SUITE=blind_names` takes half an hour and writes `docs/acceptance/blind_names-<date>.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tests.lab import blind_names
from tests.lab.acceptance import results
from tests.lab.edge_host import GATEWAYS, INTERVAL, PROBER, THRESHOLD, TIMEOUT, ZONE, EdgeHost, edge_host

NAME = os.environ.get("CROSSMESH_BLIND_NAMES_LAB", "test-blind")
MINUTES = float(os.environ.get("CROSSMESH_BLIND_NAMES_MINUTES", "10"))
LOAD = 50
SHARE = 0.25
"""Of the earlier way's processor time."""
_EARLIER = f"""
options => {{ listen => 127.0.0.1:5353, run_dir => /run/earlier, state_dir => /var/lib/earlier }}
service_types => {{ ingress_gateway => {{
  plugin => extmon
  cmd => [ "/usr/bin/curl", "--fail", "--silent", "--output", "/dev/null", "--noproxy", "*",
           "--max-time", "{TIMEOUT}", "http://%%ITEM%%:15021/healthz/ready" ]
  interval => {INTERVAL}
  timeout => {TIMEOUT}
  down_thresh => {THRESHOLD}
  ok_thresh => {THRESHOLD}
  up_thresh => {THRESHOLD}
}} }}
plugins => {{ multifo => {{ gateways => {{ service_types => ingress_gateway, up_thresh => 0.01
  {" ".join(f"{region} => {address}" for region, address in GATEWAYS.items())} }} }} }}
"""
_ZONE = "@ 5 SOA edge hostmaster ( 1 7200 1800 259200 5 )\n@ 5 NS edge\nedge 5 A 127.0.0.1\n"
_ZONE += "app 5 DYNA multifo!gateways\n"


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("blind_names", load=LOAD, minutes=MINUTES)


@pytest.fixture(scope="module")
def host(report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeHost]:
    """An edge host with two gateways."""
    with edge_host(NAME, tmp_path_factory.mktemp("edge")) as found:
        yield found


def test_answers_are_right_within_the_bound_on_a_loaded_machine(
    host: EdgeHost, report: dict[str, Any]
) -> None:
    blind_names.load(host, LOAD)
    try:
        time.sleep(10)
        seen = blind_names.rounds(host, MINUTES * 60)
        report["loadAverage"] = float(host.run("cat /proc/loadavg").split()[0])
    finally:
        blind_names.unload(host)
    bounds = {"gateway": blind_names.BOUND, "gateway and prober": blind_names.BLIND_BOUND}
    report["answers"] = {**asdict(seen), "probers": len(seen.probers), "boundSeconds": bounds}


def test_its_work_costs_a_quarter_of_the_earlier_way(host: EdgeHost, report: dict[str, Any]) -> None:
    host.run(f"mkdir -p /etc/earlier/zones /var/lib/earlier; cat > /etc/earlier/zones/{ZONE}", _ZONE)
    host.run("cat > /etc/earlier/config", _EARLIER)
    host.run(
        "systemd-run --quiet --collect --unit=earlier --property=RuntimeDirectory=earlier "
        "/usr/sbin/gdnsd -c /etc/earlier start"
    )
    try:
        time.sleep(10)
        earlier = host.pid("earlier.service")
        helper = [int(pid) for pid in host.run(f"ps -o pid= --ppid {earlier}").split()]
        assert helper, "the earlier way has no helper"
        groups = {"now": (host.pid(PROBER), host.pid("gdnsd.service")), "earlier": (earlier, *helper)}
        before = {name: host.seconds_of_processor(*pids) for name, pids in groups.items()}
        time.sleep(MINUTES * 60)
        used = {name: host.seconds_of_processor(*pids) - before[name] for name, pids in groups.items()}
    finally:
        host.run("systemctl stop earlier")
    report["processorSeconds"] = {name: round(seconds, 2) for name, seconds in used.items()}
    report["share"] = round(used["now"] / used["earlier"], 3)
    assert report["share"] <= SHARE, used
