"""What is refused before any host is touched (claim 9), on machines that were never set up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.site import Ended, Site

EVERYTHING = (
    "find /etc /opt /usr/local /var/lib -xdev -type f -newermt @{} 2>/dev/null "
    "| grep -v -e /var/lib/systemd -e /var/lib/crossmesh/lock || true"
)


@contextmanager
def hosts_untouched(site: Site) -> Iterator[None]:
    """Assert that no ssh session was opened on any machine meanwhile."""
    # The journals are asked by ssh, in whole seconds: what comes before and after keeps its distance.
    time.sleep(1.1)
    since = time.time()
    yield
    until = time.time()
    time.sleep(1.1)
    sessions = site.ssh_sessions(since, until)
    assert not any(sessions.values()), sessions


def refused(site: Site, *arguments: str) -> Ended:
    ended = site.pulumi("preview", *arguments, timeout=300, check=False)
    assert ended.returncode != 0, ended.words
    return ended


def test_a_preview_with_nothing_there_lists_the_whole_platform(
    announced: frozenset[str], gated: Path
) -> None:
    """Claim 6: a preview of an environment that does not exist needs no cluster and names every resource. The
    gate is asked now as well: the tests below leave something in the state.
    """
    assert gated.is_file()
    types = {urn.split("::")[2].split("$")[-1] for urn in announced}
    for expected in (
        "crossmesh:hosts:HostPhase",
        "crossmesh:tls:CertificateAuthority",
        "kubernetes:apps/v1:Deployment",
    ):
        assert expected in types
    assert len(announced) > 100


def test_all_problems_of_a_declaration_are_said_at_once_with_file_and_line(machines: Site) -> None:
    """Claim 9: unknown key, wrong type, overlapping ranges and a bad name in one answer, no host touched."""
    text = machines.stack_file.read_text()
    bad = (
        text.replace("    domain:", "    domian: x\n    domain:", 1)
        .replace("      ttl: 5", "      ttl: soon", 1)
        .replace("servicePool: 172.31.0.0/16", "servicePool: 172.30.0.0/16", 1)
    )
    assert bad.count("domian") == 1
    with machines.changed_declaration(bad), hosts_untouched(machines):
        words = refused(machines).words
    for expected in ("domian", "ttl"):
        assert expected in words
        line = next(n for n, found in enumerate(bad.splitlines(), 1) if found.strip().startswith(expected))
        assert f"Pulumi.{machines.name}.yaml:{line}" in words, words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regions.us.machineNetwork": "10.0.0.0/8"}, "overlap"),
        ({"addresses.podPool": "172.30.0.0/30"}, "172.30.0.0/30"),
        ({"versions.kubernetes": "1.12.0"}, "1.12.0"),
        ({"regions.eu.edges": {"not a label": {"address": "10.0.0.1"}}}, "not a label"),
    ],
    ids=["overlap", "pool too small", "unsupported version", "no DNS label"],
)
def test_a_bad_declaration_never_reaches_a_host(
    machines: Site, change: dict[str, object], words: str
) -> None:
    """Claim 9: each with a clear error before any host is touched."""
    with machines.changed_declaration(change), hosts_untouched(machines):
        ended = refused(machines)
    assert words in ended.words
    assert "Traceback" not in ended.words


def test_a_missing_root_key_is_named_with_the_command_that_makes_it(machines: Site) -> None:
    """Claim 9: missing secret."""
    text = machines.stack_file.read_text()
    lines = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if line.strip() == "crossmesh:meshRootKey:")
    with machines.changed_declaration("".join(lines[:at] + lines[at + 2 :])), hosts_untouched(machines):
        ended = refused(machines)
    assert f"crossmesh secrets init --stack {machines.name}" in ended.words


def fingerprint(site: Site, since: float) -> dict[str, str]:
    """Files of every machine that changed since a moment."""
    return {machine: site.on(machine, EVERYTHING.format(int(since))) for machine in site.machines}


def test_hosts_that_cannot_be_reached_are_all_named_and_no_other_host_is_changed(machines: Site) -> None:
    """Claim 9: "not measurable" in a preview, an error in `up`, for all hosts concerned before the first is
    changed.
    """
    network = machines.declaration().environment.regions["eu"].machine_network
    assert network is not None
    nobody = {"eu-edge-1": str(network[98]), "eu-worker-1": str(network[99])}
    change = {
        "regions.eu.edges.eu-edge-1.address": nobody["eu-edge-1"],
        "regions.eu.cluster.nodes.eu-worker-1.address": nobody["eu-worker-1"],
    }
    began = time.time()
    with machines.changed_declaration(change):
        preview = machines.pulumi("preview", timeout=300)
        ended = machines.up(check=False, timeout=300)
    for host in nobody:
        assert "not measurable" in preview.words and host in preview.words, preview.words[-3000:]
        assert host in ended.words, ended.words[-3000:]
    assert ended.returncode != 0
    assert not any(fingerprint(machines, began).values())


def test_a_host_with_another_key_is_refused_before_any_is_changed(machines: Site) -> None:
    """Claim 9: wrong host key."""
    ssh = machines.declaration().environment.ssh
    assert ssh is not None
    known = machines.directory / "known_hosts"
    lines = Path(ssh.known_hosts_file).read_text().splitlines()
    keys = {line.split(",")[0]: line.partition(" ")[2] for line in lines}
    # Both keys are real; only they are of the wrong hosts.
    swapped = {**keys, "eu-cp-1": keys["us-cp-1"], "us-cp-1": keys["eu-cp-1"]}
    assert swapped != keys
    known.write_text("".join(f"{line.partition(' ')[0]} {swapped[line.split(',')[0]]}\n" for line in lines))
    began = time.time()
    with machines.changed_declaration({"ssh.knownHostsFile": str(known)}):
        ended = machines.up(check=False, timeout=300)
    assert ended.returncode != 0
    assert "host key" in ended.words.lower(), ended.words[-3000:]
    assert "eu-cp-1" in ended.words
    assert "us-cp-1" in ended.words
    assert not any(fingerprint(machines, began).values())


def test_a_host_where_another_network_lives_is_refused_before_any_is_changed(machines: Site) -> None:
    """A preflight looks at every host that changes, says what would come of it, and nothing is touched."""
    other = "/etc/cni/net.d/05-other.conflist"
    machines.on(
        "eu-worker-1", f"mkdir -p /etc/cni/net.d; echo '{{}}' > {other}; touch -d '1 hour ago' {other}"
    )
    try:
        # Its check mode runs plays, which keep a lock on hosts.
        gated = machines.crossmesh("gate", "--report", "json=-", check=False)
        began = time.time()
        told = machines.crossmesh("preflight", "--host", "eu-worker-1", check=False)
        ended = machines.up(check=False, timeout=300)
    finally:
        machines.on("eu-worker-1", f"rm {other}")
    assert told.returncode == 5, told.words
    assert "cni/eu-worker-1" in told.words
    (answer,) = json.loads(gated.stdout)["stacks"]
    against = {each["rule"]: each for each in answer["findings"] if each["severity"] == "error"}
    assert gated.returncode == 5, gated.words
    assert "05-other.conflist" in against["preflight/cni"]["message"], answer["findings"]
    assert "eu-worker-1" in against["preflight/cni"]["urn"]
    assert ended.returncode != 0
    assert "05-other.conflist" in ended.words, ended.words[-3000:]
    assert "no host was changed" in ended.words
    assert not any(fingerprint(machines, began).values())
