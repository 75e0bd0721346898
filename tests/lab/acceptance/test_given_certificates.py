"""Certificates that owners give, on machines: beside the gateways' own, exchanged under clients, and refused.

One platform goes through: a further host with a certificate of an authority that the tests make; another
certificate for it, while clients ask over connections that they keep and over new ones; another authority in
its three stages; what is refused, before and after which nothing differs; and the gateways' own again. `make
acceptance SUITE=given_certificates` takes a quarter of an hour and writes
`docs/acceptance/given_certificates-<date>.json`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from live.doctor.pods import is_ready
from stacks.system_namespaces import ISTIO_INGRESS
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import curl
from tests.lab.site import Ended, Site
from tests.lab.test_7_gate import gate
from tests.unit.stacks.pki import Pair, authority, make

NAME = os.environ.get("CROSSMESH_CERTIFICATES_STACK", "test-certs")
INGRESS, CERTIFICATE, SECRET = "certified", "certified", "certifiedKey"
PATH, APPLICATION = "/assetconsumer", "asset-consumer-svc"
TAKEN_UP_SECONDS = 20.0
"""From the end of `up` until every gateway shows what it was given: istiod pushes it within a second."""
ROW = "certificate of "


@dataclass
class Given:
    """What is given at the moment, and where."""

    site: Site
    host: str
    one: Pair = field(default_factory=lambda: _authority("one"))
    two: Pair = field(default_factory=lambda: _authority("two"))
    keys: list[str] = field(default_factory=list)
    """All keys that there ever were."""

    @property
    def directory(self) -> Path:
        return self.site.directory / "certificates"

    def give(self, leaf: Pair, *chain: Pair, trusted: tuple[Pair, ...]) -> None:
        """Put files and secret in place."""
        self.directory.mkdir(exist_ok=True)
        (self.directory / "certificate.pem").write_text(leaf.pem)
        # In the wrong order, with the root, and with what is in the other file already: it is put right.
        (self.directory / "chain.pem").write_text("".join(pair.pem for pair in (*reversed(chain), leaf)))
        (self.directory / "ca.pem").write_text("".join(pair.pem for pair in trusted))
        self.site.give_secret(SECRET, leaf.key_pem)
        self.keys.append(leaf.key_pem)

    def declared(self) -> dict[str, Any]:
        """Changes of the declaration."""
        names = {key: str(self.directory / f"{key}.pem") for key in ("certificate", "chain", "ca")}
        paths = [{"path": PATH, "application": APPLICATION}]
        return {
            f"ingresses.{INGRESS}": {"namespace": "greencompute", "host": self.host, "paths": paths},
            "certificates": {
                CERTIFICATE: {"hosts": [self.host], "given": {**names, "privateKey": {"secret": SECRET}}}
            },
        }


def _authority(name: str, issuer: Pair | None = None) -> Pair:
    return authority(name, issuer, start=datetime.now(UTC) - timedelta(days=1))


def leaf_of(issuer: Pair, host: str, *, age: float = 1, days: int = 90) -> Pair:
    return make(host, issuer, hosts=(host,), start=datetime.now(UTC) - timedelta(days=age), days=days)


def serial(pair: Pair) -> int:
    return pair.certificate.serial_number


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("given_certificates", seconds={})


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """The reference, brought up; nothing of it is left at the end."""
    found = fresh(NAME)
    try:
        report["seconds"]["up"] = round(found.up("--skip-preview").seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def given(site: Site, report: dict[str, Any]) -> Iterator[Given]:
    """A further host with a given certificate, brought about."""
    found = Given(site, f"certified.{site.declaration().environment.domain}")
    with ExitStack() as undo:
        undo.enter_context(site.changed_declaration(found.declared()))
        between = _authority("middle", found.one)
        found.give(leaf_of(between, found.host), between, found.one, trusted=(found.one,))
        ended = site.up("--skip-preview", check=False)
        report["seconds"]["given"] = round(ended.seconds, 1)
        assert ended.returncode == 0, ended.words[-4000:]
        yield found


def gateways(site: Site) -> dict[str, str]:
    """The address of each region's gateway."""
    return {name: str(region.gateway_addresses[0]) for name, region in site.outputs().regions.items()}


def context_of(*trusted: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata="".join(pair.pem for pair in trusted))
    context.set_alpn_protocols(["http/1.1"])
    return context


def shown(address: str, host: str, context: ssl.SSLContext) -> int:
    """The serial number of what a gateway shows to who verifies it."""
    with (
        socket.create_connection((address, 443), timeout=4) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number


@dataclass
class Client:
    """Asks one gateway all the time: over one connection that it keeps, and over a new one each time."""

    region: str
    address: str
    host: str
    context: ssl.SSLContext
    kept: int = 0
    """Answers over the connection that is kept."""
    new: Counter[int] = field(default_factory=Counter)
    """Answers over new connections, by the serial number that was shown."""
    problems: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        """Over one connection until the end; that it is closed is a problem."""
        try:
            connection = self._connected()
            first = connection.sock
            while not self.over.wait(0.05):
                self._ask(connection)
                self.kept += 1
                if connection.sock is not first:
                    raise OSError("the connection was closed")
            connection.close()
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self._note("kept connection", error)

    def renew(self) -> None:
        """Over a new connection each time."""
        while not self.over.wait(0.1):
            try:
                connection = self._connected()
                der = connection.sock.getpeercert(binary_form=True)
                self._ask(connection)
                connection.close()
                self.new[x509.load_der_x509_certificate(der).serial_number] += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self._note("new connection", error)

    def _connected(self) -> Any:
        connection: Any = http.client.HTTPConnection(self.address, 443, timeout=4)
        plain = socket.create_connection((self.address, 443), timeout=4)
        connection.sock = self.context.wrap_socket(plain, server_hostname=self.host)
        # It is never made anew by itself.
        connection.auto_open = 0
        return connection

    def _ask(self, connection: Any) -> None:
        connection.request("GET", PATH, headers={"Host": self.host})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, f"status {answer.status}"

    def _note(self, what: str, error: BaseException) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.problems.append(f"{at} {self.region}, {what}: {type(error).__name__}: {error}")


@contextmanager
def clients(given: Given, *trusted: Pair) -> Iterator[list[Client]]:
    """Clients of every gateway, until the block is left."""
    found = [
        Client(region, address, given.host, context_of(*trusted))
        for region, address in gateways(given.site).items()
    ]
    threads = [threading.Thread(target=work, daemon=True) for one in found for work in (one.keep, one.renew)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for one in found:
            one.over.set()
        for thread in threads:
            thread.join(15)


def pods(site: Site) -> dict[str, str]:
    """The gateways' containers and how often each was started, by pod: another one is a restart."""
    found = {}
    with site.clusters() as clusters:
        for region, cluster in clusters.items():
            for pod in cluster.core.list_namespaced_pod(ISTIO_INGRESS, _request_timeout=10).items:
                assert is_ready(pod), pod.metadata.name
                found[f"{region}/{pod.metadata.name}"] = ", ".join(
                    f"{entry.container_id} {entry.restart_count}" for entry in pod.status.container_statuses
                )
    return found


def taken_up(given: Given, leaf: Pair, *trusted: Pair) -> float:
    """Seconds until every gateway shows a certificate. Fails with what they show instead."""
    began, context, seen = time.monotonic(), context_of(*trusted), {}
    while time.monotonic() - began < TAKEN_UP_SECONDS:
        for region, address in gateways(given.site).items():
            try:
                seen[region] = f"{shown(address, given.host, context):x}"
            except OSError as error:
                seen[region] = str(error)
        if set(seen.values()) == {f"{serial(leaf):x}"}:
            return time.monotonic() - began
        time.sleep(0.2)
    raise AssertionError(f"wanted {serial(leaf):x}, after {TAKEN_UP_SECONDS} s: {seen}")


def without_keys(given: Given, text: str) -> None:
    """No line of any key is in a text."""
    lines = {line for key in given.keys for line in key.splitlines() if not line.startswith("-----")}
    assert not [line for line in lines if line in text], "a private key is in the output"


def rules(answer: dict[str, Any], status: str = "fail") -> set[str]:
    return {found["rule"] for found in answer["findings"] if found["status"] == status}


def doctor(site: Site) -> list[dict[str, Any]]:
    """What the doctor finds that is not as it should be."""
    said = json.loads(site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]["findings"]
    return [found for found in said if found["status"] != "pass"]


# -- given
# ------------------------------------------------------------------------------------------------------------


def test_the_host_is_served_with_what_was_given_and_the_other_as_before(given: Given) -> None:
    outputs = given.site.outputs()
    assert outputs.host_authorities[given.host] == given.one.pem
    for region, address in gateways(given.site).items():
        answer = curl(outputs, address, PATH, host=given.host)
        assert (answer.status, answer.document["service"]) == (200, APPLICATION), (region, answer)
        assert curl(outputs, address, PATH).status == 200, region
        for refused in (outputs.ca_certificate, given.two.pem):
            assert curl(outputs, address, PATH, host=given.host, ca=refused).status == 0, region
        assert curl(outputs, address, PATH, ca=given.one.pem).status == 0, region


def test_name_servers_find_it_healthy_and_the_doctor_and_drift_find_nothing(given: Given) -> None:
    found = doctor(given.site)
    assert not found, json.dumps(found, indent=2)
    ended = given.site.crossmesh("drift", check=False)
    assert ended.returncode == 0, ended.words[-4000:]
    for edge in ("eu-edge-1", "us-edge-1"):
        command = "python3 -I /usr/local/lib/crossmesh/gateway_health.py show /etc/crossmesh/health.json"
        said = json.loads(given.site.on(edge, command))
        assert all(view["up"] for view in said["gateways"].values()), said
        config = json.loads(given.site.on(edge, "cat /etc/crossmesh/health.json"))
        assert config["trust"] == {given.host: given.one.pem}


def test_a_second_up_changes_nothing(given: Given) -> None:
    ended = given.site.pulumi(
        "up", "--yes", "--skip-preview", "--expect-no-changes", timeout=600, check=False
    )
    assert ended.returncode == 0, ended.words[-4000:]


def test_the_list_names_the_line_that_gives_it(given: Given) -> None:
    listed = json.loads(given.site.crossmesh("certificates", "--json", check=False).stdout)
    own = [entry for entry in listed if entry["place"].startswith(f"{CERTIFICATE}.given")]
    assert len(own) == 2, own
    lines = given.site.stack_file.read_text().splitlines()
    line = int(own[0]["renewedBy"].rpartition(":")[2])
    assert lines[line - 1].strip() == f"{CERTIFICATE}:", own[0]["renewedBy"]
    in_clusters = [entry for entry in listed if f"{INGRESS}-tls" in entry["place"]]
    assert {entry["renewedBy"] for entry in in_clusters} == {own[0]["renewedBy"]}, in_clusters


# -- exchanged
# ------------------------------------------------------------------------------------------------------------


def exchanged(
    given: Given, leaf: Pair, trusted: tuple[Pair, ...], report: dict[str, Any], what: str
) -> Ended:
    """Give another certificate under clients; no request of theirs may be lost, and no gateway restart."""
    before = pods(given.site)
    with clients(given, *trusted) as asking:
        time.sleep(3)
        given.give(leaf, trusted=trusted)
        ended = given.site.up("--skip-preview", check=False)
        assert ended.returncode == 0, ended.words[-4000:]
        seconds = taken_up(given, leaf, *trusted)
        time.sleep(3)
    problems = [problem for one in asking for problem in one.problems]
    report[what] = {
        "upSeconds": round(ended.seconds, 1),
        "takenUpSeconds": round(seconds, 1),
        "overKeptConnections": sum(one.kept for one in asking),
        "overNewConnections": sum(sum(one.new.values()) for one in asking),
        "problems": problems[:20],
    }
    assert not problems, "\n".join(problems[:20])
    for one in asking:
        assert one.kept > 50, (one.region, one.kept)
        assert one.new[serial(leaf)] > 0, (one.region, one.new)
    assert pods(given.site) == before
    return ended


def test_another_certificate_is_told_by_the_gate_with_serial_issuer_and_end(given: Given) -> None:
    leaf = leaf_of(given.one, given.host)
    given.give(leaf, trusted=(given.one,))
    ended, answer = gate(given.site)
    assert ended.returncode == 0, ended.words
    rows = [row for layer in answer["layers"] for row in layer["rows"] if row["key"] == ROW + given.host]
    ((before, after),) = ((row["before"], row["after"]) for row in rows)
    assert f"serial {serial(leaf):x}, by CN=one" in after and before != after
    changed = {change["name"] for change in answer["changes"] if change["type"].startswith("kubernetes:")}
    assert changed == {f"{region}.{ISTIO_INGRESS}.{INGRESS}-tls" for region in gateways(given.site)}
    without_keys(given, ended.words + json.dumps(answer))


def test_it_is_exchanged_under_clients_without_a_lost_request_or_connection(
    given: Given, report: dict[str, Any]
) -> None:
    ended = exchanged(given, leaf_of(given.one, given.host), (given.one,), report, "exchanged")
    without_keys(given, ended.words)
    without_keys(given, given.site.pulumi("stack", "export").stdout)


def test_another_authority_at_once_is_stopped_by_the_gate(given: Given) -> None:
    given.give(leaf_of(given.two, given.host), trusted=(given.two,))
    ended, answer = gate(given.site)
    assert "change/host-authorities" in rules(answer), ended.words
    assert ended.returncode != 0


def test_another_authority_comes_in_three_stages_under_clients(given: Given, report: dict[str, Any]) -> None:
    old, new = leaf_of(given.one, given.host), leaf_of(given.two, given.host)
    both = (given.one, given.two)
    for what, leaf, trusted in (("both", old, both), ("new", new, both), ("last", new, (given.two,))):
        given.give(leaf, trusted=trusted)
        ended, answer = gate(given.site)
        assert "change/host-authorities" not in rules(answer), (what, ended.words)
        exchanged(given, leaf, trusted, report, f"authority, {what}")
    found = doctor(given.site)
    assert not found, json.dumps(found, indent=2)


def test_one_that_ends_soon_is_warned_of_everywhere(given: Given) -> None:
    leaf = leaf_of(given.two, given.host, age=80, days=90)
    given.give(leaf, trusted=(given.two,))
    _, answer = gate(given.site)
    assert "change/given-certificates" in rules(answer)
    ended = given.site.up("--skip-preview", check=False)
    assert ended.returncode == 0, ended.words[-4000:]
    assert f"certificate '{CERTIFICATE}'" in ended.words and "ends in 9 days" in ended.words
    taken_up(given, leaf, given.two)
    listed = given.site.crossmesh("certificates", check=False)
    assert listed.returncode == 14, listed.words[-3000:]
    warned = [found for found in doctor(given.site) if f"`certificates.{CERTIFICATE}`" in found["fix"]]
    assert warned, doctor(given.site)


# -- refused
# ------------------------------------------------------------------------------------------------------------


WRONG: dict[str, tuple[Callable[[Given], Pair], str]] = {
    "ended": (lambda given: leaf_of(given.two, given.host, age=100, days=90), " ended on "),
    "not yet valid": (lambda given: leaf_of(given.two, given.host, age=-2), " is not valid before "),
    "another host": (lambda given: leaf_of(given.two, "other.test"), "is not for certified."),
    "another authority": (lambda given: leaf_of(given.one, given.host), "neither behind it nor in `ca`"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_would_not_serve_is_refused_by_gate_and_up_and_nothing_changes(what: str, given: Given) -> None:
    make_leaf, words = WRONG[what]
    refused(given, make_leaf(given), words)


def test_the_key_of_another_certificate_is_refused(given: Given) -> None:
    leaf = leaf_of(given.two, given.host)
    given.give(leaf, trusted=(given.two,))
    other = leaf_of(given.two, given.host)
    given.keys.append(other.key_pem)
    given.site.give_secret(SECRET, other.key_pem)
    refused(given, None, "the key of another certificate than ")


def refused(given: Given, leaf: Pair | None, words: str) -> None:
    """Neither gate nor `up` goes on, and the gateways show what they showed."""
    context = context_of(given.two)
    before = {region: shown(at, given.host, context) for region, at in gateways(given.site).items()}
    state = given.site.pulumi("stack", "export").stdout
    if leaf is not None:
        given.give(leaf, trusted=(given.two,))
    gated, _ = gate(given.site)
    up = given.site.up("--skip-preview", check=False)
    for ended in (gated, up):
        assert ended.returncode != 0, ended.words[-4000:]
        assert words in ended.words, ended.words[-4000:]
        assert f"certificates.{CERTIFICATE}.given." in ended.words, ended.words[-4000:]
        without_keys(given, ended.words)
    resources = [json.loads(text)["deployment"]["resources"] for text in (state, _exported(given.site))]
    assert [each["urn"] for each in resources[0]] == [each["urn"] for each in resources[1]]
    after = {region: shown(at, given.host, context) for region, at in gateways(given.site).items()}
    assert after == before


def _exported(site: Site) -> str:
    return site.pulumi("stack", "export").stdout


# -- back
# ------------------------------------------------------------------------------------------------------------


def test_without_it_the_host_has_one_of_the_gateways_own_authority_again(
    given: Given, report: dict[str, Any]
) -> None:
    before = pods(given.site)
    kept = given.declared()
    kept["certificates"] = {}
    with given.site.changed_declaration(kept):
        ended = given.site.up("--skip-preview", check=False)
        assert ended.returncode == 0, ended.words[-4000:]
        outputs = given.site.outputs()
        assert outputs.host_authorities == {}
        for region, address in gateways(given.site).items():
            deadline = time.monotonic() + TAKEN_UP_SECONDS
            while (answer := curl(outputs, address, PATH, host=given.host)).status != 200:
                assert time.monotonic() < deadline, (region, answer)
                time.sleep(0.5)
    assert pods(given.site) == before
