"""Declared hosts by themselves: how they are reached, what is said of them, and what answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.ssh import Jump
from gate.effects.sources import open_sources
from live import hosts
from live.hosts import introduced, ways
from playbooks.preflight.checks import judge
from report.errors import ConfigurationError, OperationsError
from report.examination import Producer
from report.exit_codes import ExitCode
from report.model import Status
from stacks.load import PROJECT, Stack
from stacks.model import Environment
from tests.unit.operations.support import STACK
from tests.unit.playbooks.conftest import ARMOURED
from tests.unit.playbooks.preflight.test_checks import GOOD

PRODUCER = Producer("0.1.0", "3.0.0", "", dirty=False)
CERTIFIED = """\
debug1: Server host certificate: ssh-ed25519-cert-v01@openssh.com SHA256:host, serial 0 ID "h2" \
CA ssh-ed25519 SHA256:ca valid forever
debug1: Host '[127.0.0.2]:2202' is known and matches the ED25519-CERT host certificate.
debug1: Server accepts key: anna@laptop ED25519 SHA256:user agent
Authenticated to 127.0.0.2 (via proxy) using "publickey".
"""
KNOWN = """\
debug1: Server host key: ssh-ed25519 SHA256:host
debug1: Host '192.0.2.1' is known and matches the ED25519 host key.
debug1: Server accepts key: /keys/id RSA SHA256:user explicit
"""
UNKNOWN_KEY = (
    "debug1: Server host key: ecdsa-sha2-nistp256 SHA256:host\nNo ECDSA host key is known for 192.0.2.1\n"
)
CHANGED = (
    "debug1: Server host key: ssh-rsa SHA256:host\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n"
)


@pytest.mark.parametrize(
    ("said", "key", "host_key"),
    [
        (CERTIFIED, "ED25519 of the agent", "ssh-ed25519 SHA256:host, certified by SHA256:ca"),
        (KNOWN, "RSA", "ssh-ed25519 SHA256:host, known"),
        (UNKNOWN_KEY, "", "ecdsa-sha2-nistp256 SHA256:host, not known"),
        (CHANGED, "", "ssh-rsa SHA256:host, not the known one"),
        ("ssh: connect to host 192.0.2.1 port 22: No route to host\n", "", ""),
    ],
)
def test_what_ssh_tells_of_both_sides_keys_is_read(said: str, key: str, host_key: str) -> None:
    assert introduced(said) == (key, host_key)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """The reference, as a site behind a jump host whose sudo asks for a password."""
    text = yaml.safe_load(STACK.path.read_text())
    declared: dict[str, Any] = text["config"]["crossmesh:environment"]
    key = tmp_path / "key.asc"
    key.write_text(ARMOURED)
    for source in declared["sources"]["apt"]:
        source["signedBy"] = str(key)
    declared["sources"]["images"]["signedBy"] = str(key)
    declared["ssh"] |= {
        "user": "ops",
        "becomePassword": "sudoPassword",
        "jump": {"address": "jump.example.test", "user": "gate"},
    }
    eu = declared["regions"]["eu"]
    eu["edges"]["eu-edge-1"]["ssh"] = {"address": "edge.example.test", "direct": True, "port": 2222}
    eu["ssh"] = {"jump": {"address": "192.0.2.9", "user": "eu"}}
    return replace(STACK, environment=Environment.model_validate(declared))


def test_each_host_has_its_own_way_or_that_of_its_region(stack: Stack) -> None:
    asked: list[str] = []

    def secret(stack: str, name: str) -> str:
        asked.append(f"{stack} {name}")
        return "let me in"

    found = {way.host: way.connection for way in ways(stack, (), secret)}
    assert found["us-cp-1"].jump == Jump("jump.example.test", "gate")
    assert found["eu-cp-1"].jump == Jump("192.0.2.9", "eu")
    edge = found["eu-edge-1"]
    assert (edge.address, edge.port, edge.jump, edge.user) == ("edge.example.test", 2222, None, "ops")
    assert {way.become_password for way in found.values()} == {"let me in"}
    assert asked == [f"{stack.name} sudoPassword"], "each secret is asked for once"


def test_a_host_that_is_not_declared_is_answered_with_those_that_are(stack: Stack) -> None:
    with pytest.raises(ConfigurationError, match=r"no host eu-edge-9; it has eu-cp-1, eu-edge-1"):
        ways(stack, ["eu-edge-9"], lambda *_: "")


def good(wanted: Any) -> dict[str, Any]:
    """What a host tells that has all that it is to have."""
    bundles = wanted.variables.get("images_bundles", ())
    return {**GOOD, "images": {"listed": bundles, "error": ""}}


async def _examined(host: str, connection: Any, wanted: Any) -> Any:
    if host == "us-cp-1":
        raise OperationsError("us-cp-1: no route to it", fix="mend it")
    swap = {**GOOD["machine"], "swap": ["/swap.img"]}
    facts = {**good(wanted), "machine": swap} if host == "us-worker-1" else good(wanted)
    return judge(host, facts, wanted)


def test_all_hosts_are_told_of_though_some_cannot_be_looked_at(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "examine", _examined)
    environment = stack.environment.model_copy(update={"host_profiles": {"container": {}}})
    results = hosts.preflight(ways(stack, (), lambda *_: ""))
    rows = {result.check.id: result.finding.status for result in hosts.condensed(results)}
    assert rows["reached/us-cp-1"] is Status.NOT_MEASURABLE
    assert rows["all/eu-cp-1"] is Status.PASS
    assert environment
    told = hosts.examination(stack.name, results, PRODUCER, open_sources(stack.path, PROJECT))
    assert told.verdict.code is ExitCode.NOT_MEASURABLE
    assert "us-cp-1" in told.verdict.words
    lines = stack.path.read_text().splitlines()
    (unseen,) = (finding for finding in told.findings if finding.status is Status.NOT_MEASURABLE)
    assert unseen.place is not None
    assert "us-cp-1" in lines[unseen.place.line - 1]
    places = {(finding.region, finding.declared) for finding in told.findings}
    assert ("us", ("regions", "us", "cluster", "nodes", "us-cp-1")) in places
    assert ("eu", ("regions", "eu", "edges", "eu-edge-1")) in places
    assert "" not in {region for region, _ in places}


def test_a_refused_host_is_the_last_word(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(host: str, connection: Any, wanted: Any) -> Any:
        facts = good(wanted)
        if host == "eu-edge-1":
            facts["mirror"] = {"seconds": 1.0, "errors": ["E: no key"]}
        return judge(host, facts, wanted)

    monkeypatch.setattr(hosts, "examine", refuses)
    results = hosts.preflight(ways(stack, (), lambda *_: ""))
    told = hosts.examination(stack.name, results, PRODUCER, open_sources(stack.path, PROJECT))
    assert (told.verdict.code, told.verdict.words) == (ExitCode.POLICY, "1 host would be refused: eu-edge-1.")
    assert {finding.rule for finding in told.findings} <= {rule.id for rule in told.rules}
