"""Whoever looks at a host becomes root there as it is declared, by a password where sudo asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from access import ssh
from access.errors import AccessError
from access.programs import Executed
from live import logins, prober
from live.checks import network
from live.doctor.model import NotMeasurable
from report.errors import PulumiError
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec, Environment
from tests.unit.operations.support import STACK, make_platform, run

Sent = list[tuple[Sequence[str], str]]
"""Arguments and standard input of each ssh."""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The reference, on whose hosts sudo asks for a password."""
    declared: dict[str, Any] = yaml.safe_load(STACK.path.read_text())["config"]["crossmesh:environment"]
    declared["ssh"] |= {"user": "ops", "becomePassword": "sudoPassword"}
    monkeypatch.setattr(logins.engine, "secret", lambda stack, name: f"the text of {name}")
    yield replace(STACK, environment=Environment.model_validate(declared))
    logins._secret.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What ssh is called with; it answers nothing."""
    found: Sent = []

    def answer(argv: Sequence[str], *, stdin: str, **_: object) -> Executed:
        found.append((argv, stdin))
        return Executed(1, "", "")

    monkeypatch.setattr(ssh.programs, "run", answer)
    return found


def given(sent: Sent) -> str:
    """What sudo was given, of which nothing stands in arguments."""
    ((argv, stdin),) = sent
    assert "sudo -k -S" in argv[-1]
    assert "the text of" not in " ".join(argv)
    return stdin


def test_a_name_server_is_asked_by_who_knows_the_password(stack: Stack, sent: Sent) -> None:
    assert prober.read(stack, "eu-edge-1", "192.0.2.1").problem
    assert given(sent) == "the text of sudoPassword\n"


def test_a_node_is_asked_for_its_routes_by_who_knows_the_password(stack: Stack, sent: Sent) -> None:
    platform = replace(make_platform(), stack=stack)
    cluster = stack.environment.regions["eu"].cluster
    assert isinstance(cluster, BareMetalClusterSpec)
    with pytest.raises(NotMeasurable, match="does not list its routes") as unseen:
        run(network.check_routes, platform, "eu-cp-1", cluster.nodes["eu-cp-1"])
    assert "ops may become root there" in unseen.value.fix
    assert given(sent) == "the text of sudoPassword\n"


def test_a_host_that_is_declared_no_more_is_reached_where_it_was(stack: Stack) -> None:
    assert logins.login(stack, "gone", "192.0.2.1").address == "192.0.2.1"
    assert logins.login(stack, "eu-cp-1", "192.0.2.1").address == "10.101.1.11"


def test_a_password_that_the_stack_does_not_have_is_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(stack: str, name: str) -> str:
        raise PulumiError(f"no {name}", fix="set it")

    monkeypatch.setattr(logins.engine, "secret", refuse)
    with pytest.raises(AccessError, match="no sudoPassword") as refused:
        logins.login(stack, "eu-cp-1", "192.0.2.1")
    assert refused.value.fix == "set it"
