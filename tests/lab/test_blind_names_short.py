"""An edge host does not go blind: one round of the suite `blind_names` of acceptance."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import blind_names
from tests.lab.edge_host import GATEWAYS, PROBER, EdgeHost, edge_host

NAME = os.environ.get("CROSSMESH_BLIND_NAMES_LAB", "test-blind")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeHost]:
    """An edge host with two gateways."""
    with edge_host(NAME, tmp_path_factory.mktemp("edge")) as found:
        yield found


def test_a_second_run_of_the_play_changes_nothing_and_the_prober_is_confined(
    host: EdgeHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = host.pid(PROBER), host.pid("gdnsd.service")
    host.play(tmp_path_factory.mktemp("again"))
    assert (host.pid(PROBER), host.pid("gdnsd.service")) == before
    status = host.run(f"cat /proc/{before[0]}/status; ps -o user=,ni= -p {before[0]}")
    assert "CapEff:\t0000000000000000" in status
    assert status.splitlines()[-1].split()[1] == "0", "the prober runs with another priority"
    assert "gdnsd_extmon" not in host.run("ps -eo args=")


def test_answers_are_right_within_the_bound_whatever_is_killed_or_stopped(host: EdgeHost) -> None:
    seen = blind_names.rounds(host, seconds=0)
    print(seen)
    assert all(view["up"] and view["age"] < 10 for view in host.views().values())  # type: ignore[operator]
    assert set(host.views()) == set(GATEWAYS.values())


def test_a_name_server_that_is_killed_comes_back_with_what_is_seen(host: EdgeHost) -> None:
    host.signal("gateway-eu", "KILL")
    host.wait("us", seconds=blind_names.BOUND)
    host.run("systemctl kill --kill-who=main --signal=KILL gdnsd.service; sleep 5")
    host.wait("us", seconds=blind_names.BOUND)
    host.start_gateway("eu")
    host.wait(*GATEWAYS, seconds=blind_names.BOUND)
