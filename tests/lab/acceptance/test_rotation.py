"""Keys that a cluster rests on are replaced in stages, while a client writes and another one asks.

Run by `make acceptance SUITE=rotation`; takes about an hour on two processors, writes
`docs/acceptance/rotation-<date>.json`. Three control planes and a worker. A failure says what the machines
say: what runs there, by which keys, and the last words of etcd and the API server.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.ssh import Connection
from live import logins
from runbooks import journal
from runbooks.etcd import encryption
from runbooks.history import unfinished
from runbooks.journal import Entry, What
from tests.lab.acceptance import backups, results
from tests.lab.acceptance.killing import wait_for_the_engine
from tests.lab.acceptance.test_control_planes import (
    CONTROL,
    PATH,
    WORKER,
    brought_up,
    client,
    explained,
    healthy,
    told,
)
from tests.lab.acceptance.writing import Writes, writing
from tests.lab.clients import curl
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_ROTATION_STACK", "test-keys")
REGION = "eu"
KEYS = f"regions.{REGION}.cluster.encryptionKeys"
SECRETS = 40
ROTATION_SECONDS = 2400.0
"""For one rotation: three times three control planes, each proven before the next."""
GAP_SECONDS = 15.0
"""So long the API may be away while the address passes from one API server that starts anew to another."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("rotation")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    with brought_up(NAME, report) as found:
        healthy(found)
        yield found


@pytest.fixture(autouse=True)
def ended(site: Site) -> Iterator[None]:
    """A run that a test has left in the middle is taken back, so that the next test can begin its own."""
    yield
    if unfinished(entries(site)):
        run(site, "abort", check=False)


def entries(site: Site) -> list[Entry]:
    """The stack's journal."""
    return journal.read(site.directory / "backend" / ".crossmesh" / "journals" / "crossmesh" / site.name)


def run(site: Site, *arguments: str, check: bool = True) -> Any:
    """`crossmesh runbook`; where it fails, with what the machines say."""
    done = site.crossmesh("runbook", *arguments, check=False, timeout=ROTATION_SECONDS)
    if check and done.returncode:
        raise AssertionError(f"{done.words[-4000:]}\n{told(site)}")
    return done


def ways(site: Site) -> dict[str, Connection]:
    """The way to each control plane."""
    stack = site.declaration()
    hosts = stack.environment.regions[REGION].hosts
    return {name: logins.login(stack, name, hosts[name].ssh_address) for name in CONTROL}


def orders(site: Site) -> dict[str, list[str]]:
    """By which keys the API server that runs on each control plane goes."""
    return {name: encryption.order(partial(site.on, name)) for name in CONTROL}


def stored(site: Site) -> dict[str, int]:
    """How many Secrets etcd has by which key."""
    return encryption.stored((CONTROL[0], ways(site)[CONTROL[0]]))


def declared(site: Site) -> Any:
    document = yaml.safe_load(site.stack_file.read_text())
    cluster = document["config"]["crossmesh:environment"]["regions"][REGION]["cluster"]
    return cluster.get("encryptionKeys", [1])


def flat(words: str) -> str:
    """What a command says, however wide its terminal is."""
    return " ".join(words.split())


def listed(site: Site, path: str, query: str) -> list[dict[str, Any]]:
    """All objects of a list, by pages; an API server that starts anew is waited for."""
    deadline, more, found = time.monotonic() + 120, "", []
    asking = client(site)
    while True:
        try:
            status, page = asking.ask("GET", f"{path}?limit=200&{query}&continue={more}")
            why = f"{status}: {page.get('message')}"
        except (OSError, HTTPException, ValueError) as error:
            status, why = 0, f"{type(error).__name__}: {error}"
        if status == 200:
            found += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return found
            continue
        assert time.monotonic() < deadline, f"{path} cannot be listed: {why}\n{told(site)}"
        time.sleep(1)


def secrets(site: Site) -> dict[str, str]:
    """Content of the Secrets of this test, by name."""
    return {
        one["metadata"]["name"]: one["data"]["word"]
        for one in listed(site, "/api/v1/namespaces/default/secrets", "")
        if one["metadata"]["name"].startswith("rotated-")
    }


def killed(site: Site, step: str, *wanted: str) -> None:
    """A run that is killed while a step is at work, by the first that is said of its `up`."""
    command = [sys.executable, "-m", "operations", "runbook", "run", *wanted, "--yes"]
    before = len(entries(site))
    process, log = site.start(*command, "--stack", site.name)
    deadline = time.monotonic() + ROTATION_SECONDS
    try:
        while time.monotonic() < deadline:
            if any(entry.what is What.DOING and entry.step == step for entry in entries(site)[before:]):
                break
            assert process.poll() is None, log.with_suffix(".err").read_text()[-4000:]
            time.sleep(0.1)
        else:
            raise AssertionError(f"{step} was not begun")
        # Its `up` changes the first control plane by then.
        time.sleep(20)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    wait_for_the_engine(site)


def judged(site: Site, writes: Writes, since: float) -> dict[str, Any]:
    """See that nothing acknowledged was lost and that the API answered soon; what was measured."""
    query = f"labelSelector=crossmesh.test/run%3D{writes.run}"
    there = listed(site, "/api/v1/namespaces/default/configmaps", query)
    lost = sorted(set(writes.acknowledged) - {one["metadata"]["name"] for one in there})
    found = {
        "acknowledged": len(writes.acknowledged),
        "lost": len(lost),
        "failedAttempts": len(writes.failures),
        "secondsWithoutAnswer": round(writes.gap(since), 2),
    }
    assert not lost, f"acknowledged, and not there: {lost[:10]}; {found}"
    assert found["secondsWithoutAnswer"] <= GAP_SECONDS, f"{found}: {writes.said()}\n{told(site)}"
    return found


def answers(site: Site) -> None:
    outputs = site.outputs()
    gateway = str(outputs.regions[REGION].gateway_addresses[0])
    assert curl(outputs, gateway, PATH).status == 200


def nothing_left(site: Site) -> None:
    """An `up` has nothing to do, the doctor finds nothing, and a request is answered."""
    explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
    healthy(site)
    answers(site)


def test_the_key_of_secrets_is_rotated_while_a_client_writes(
    site: Site, report: dict[str, Any], tmp_path: Path
) -> None:
    asking = client(site)
    for number in range(SECRETS):
        body = {"metadata": {"name": f"rotated-{number}"}, "stringData": {"word": f"word {number}"}}
        status, answer = asking.ask("POST", "/api/v1/namespaces/default/secrets", body)
        assert status == 201, answer
    before, content = stored(site), secrets(site)
    assert len(before) == 1 and "identity" not in before, before
    (old,) = before
    assert {order[0] for order in orders(site).values()} == {old}
    run(site, "run", "backup-etcd", f"region={REGION}", f"destination={tmp_path}", "--yes")
    wanted = ("rotate-encryption-key", f"region={REGION}", "number=2")
    plan = run(site, "run", *wanted, "--dry-run").words
    assert f"{KEYS} goes from [1] to [2]" in flat(plan), plan
    assert declared(site) == [1]
    with writing(client(site), "rotated") as writes:
        began = time.monotonic()
        done = run(site, "run", *wanted, "--yes")
    report["key"] = judged(site, writes, began) | {"seconds": round(done.seconds, 1)}
    after = stored(site)
    assert len(after) == 1 and old not in after, f"{before} became {after}\n{done.words[-3000:]}"
    (new,) = after
    assert set(map(tuple, orders(site).values())) == {(new, "identity")}, orders(site)
    assert secrets(site) == content
    assert declared(site) == [2]
    nothing_left(site)
    (path,) = backups.paths(tmp_path, site.name, REGION)
    refused = run(site, "run", "restore-etcd", f"region={REGION}", f"backup={path}", "--dry-run", check=False)
    assert refused.returncode == 1
    assert f"Secrets in the backup are encrypted by {old} (key 1)" in flat(refused.words), refused.words
    assert "older than a rotation of the key" in flat(refused.words), refused.words


def test_a_rotation_that_was_killed_goes_on_and_one_that_is_done_does_nothing(
    site: Site, report: dict[str, Any]
) -> None:
    content = secrets(site)
    wanted = ("rotate-encryption-key", f"region={REGION}", "number=3")
    killed(site, "write", *wanted)
    assert secrets(site) == content, "every API server reads every Secret in the middle too"
    resumed = run(site, "resume")
    report["keyKilledInWrite"] = {"resumedSeconds": round(resumed.seconds, 1)}
    assert len(stored(site)) == 1, stored(site)
    assert secrets(site) == content
    assert declared(site) == [3]
    again = run(site, "run", *wanted, "--yes")
    for step in ("read", "write", "prove", "retire"):
        assert f"{step}: so already" in again.words, again.words
    nothing_left(site)


def test_a_key_at_once_is_refused_by_the_gate_and_by_the_first_host(site: Site) -> None:
    before = orders(site)
    with site.changed_declaration({KEYS: [4]}):
        refused = site.up("--skip-preview", check=False)
        assert refused.returncode != 0
        assert "could not read them" in flat(refused.words), refused.words[-4000:]
        assert orders(site) == before
    explained(site, lambda: site.up("--skip-preview"))
    assert orders(site) == before
    nothing_left(site)


def test_history_says_what_was_done(site: Site) -> None:
    rows = json.loads(run(site, "history", "--json").stdout)
    outcomes = [row["outcome"] for row in rows if row["runbook"] == "rotate-encryption-key"]
    assert outcomes[-2:] == ["succeeded", "succeeded"], rows


AUTHORITIES = f"regions.{REGION}.cluster.certificateAuthorities"
ROTATE = ("rotate-certificate-authority", f"region={REGION}", "number=2")
_ISSUERS = (
    "for file in pki/apiserver.crt pki/apiserver-kubelet-client.crt; do "
    "[ ! -e $file ] || openssl x509 -noout -issuer -in $file; done; "
    "for file in admin controller-manager scheduler; do [ ! -e $file.conf ] || "
    "sed -n 's/.*client-certificate-data: //p' $file.conf | base64 -d | openssl x509 -noout -issuer; done; "
    "openssl x509 -noout -issuer -in /var/lib/kubelet/pki/kubelet-client-current.pem"
)
_TRUSTED = (
    "grep -c BEGIN pki/ca.crt; for file in *.conf; do "
    "sed -n 's/.*certificate-authority-data: //p' $file | base64 -d | grep -c BEGIN; done"
)


def in_kubernetes(site: Site, name: str, script: str) -> set[str]:
    """Lines that a script says in /etc/kubernetes of a machine, each once."""
    return set(site.on(name, f"cd /etc/kubernetes && {{ {script}; }}").split("\n")) - {""}


def authorities(site: Site) -> list[int]:
    document = yaml.safe_load(site.stack_file.read_text())
    cluster = document["config"]["crossmesh:environment"]["regions"][REGION]["cluster"]
    return list(cluster.get("certificateAuthorities", [1]))


def seen(site: Site) -> tuple[set[str], set[str]]:
    """How many authorities files of all machines trust, and who has issued what they show."""
    trusted, issuers = set(), set()
    for name in (*CONTROL, WORKER):
        trusted |= in_kubernetes(site, name, _TRUSTED)
        issuers |= in_kubernetes(site, name, _ISSUERS)
    return trusted, {line.rpartition("CN")[2].strip(" =") for line in issuers}


def stage(site: Site, report: dict[str, Any], name: str, *, kill: bool = False) -> None:
    """Bring the cluster to a stage while a client writes by the kubeconfig from before it."""
    wanted = (*ROTATE, f"until={name}")
    with writing(client(site), f"authority-{name}") as writes:
        began = time.monotonic()
        if kill:
            killed(site, name, *wanted)
            done = run(site, "resume")
        else:
            done = run(site, "run", *wanted, "--yes")
    found = judged(site, writes, began)
    report.setdefault("authority", {})[name] = found | {"seconds": round(done.seconds, 1), "killed": kill}


def test_a_new_authority_is_trusted_beside_the_old_one(site: Site, report: dict[str, Any]) -> None:
    assert seen(site) == ({"1"}, {f"kubernetes-{REGION}"})
    plan = run(site, "run", *ROTATE, "--dry-run").words
    assert f"{AUTHORITIES} goes from [1] to [2]" in flat(plan), plan
    stage(site, report, "trust")
    assert authorities(site) == [1, 2]
    assert seen(site) == ({"2"}, {f"kubernetes-{REGION}"}), told(site)
    nothing_left(site)


def test_pods_that_ask_the_api_server_learn_of_it(site: Site, report: dict[str, Any]) -> None:
    refused = run(site, "run", *ROTATE, "until=issue", "--dry-run").words
    assert "kube-proxy" in refused, "pods come before anything is issued"
    stage(site, report, "pods")
    again = run(site, "run", *ROTATE, "until=pods", "--yes")
    assert "pods: so already" in again.words, again.words
    nothing_left(site)


def test_everything_is_issued_by_the_new_authority_also_by_a_run_that_was_killed(
    site: Site, report: dict[str, Any]
) -> None:
    """The client goes on by the kubeconfig from before, which trusts both."""
    stage(site, report, "issue", kill=True)
    assert authorities(site) == [2, 1]
    assert seen(site) == ({"2"}, {f"kubernetes-{REGION}-2"}), told(site)
    nothing_left(site)
    # A pod that starts now gets its account's token and asks: what moves, moves.
    with site.clusters() as clusters:
        pods = clusters[REGION].core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns")
        clusters[REGION].core.delete_namespaced_pod(pods.items[0].metadata.name, "kube-system")
    healthy(site)


def test_the_old_authority_is_trusted_no_more(site: Site, report: dict[str, Any]) -> None:
    before = client(site)
    stage(site, report, "retire")
    assert authorities(site) == [2]
    assert seen(site) == ({"1"}, {f"kubernetes-{REGION}-2"}), told(site)
    # The kubeconfig from before this stage was issued by the new one already.
    assert before.ask("GET", "/api/v1/namespaces/default")[0] == 200
    nothing_left(site)
    again = run(site, "run", *ROTATE, "--yes")
    for name in ("trust", "pods", "issue", "retire"):
        assert f"{name}: so already" in again.words, again.words


def test_an_authority_at_once_is_refused_by_the_first_host(site: Site) -> None:
    before = seen(site)
    with site.changed_declaration({AUTHORITIES: [3]}):
        refused = site.up("--skip-preview", check=False)
        assert refused.returncode != 0
        assert "does not trust yet" in flat(refused.words), refused.words[-4000:]
        assert seen(site) == before
    explained(site, lambda: site.up("--skip-preview"))
    nothing_left(site)


def test_tokens_that_nobody_needs_are_not_given_and_not_taken_for_a_year(site: Site) -> None:
    """Both keys are off by default: here they are declared, seen, and taken back."""
    namespace = next(iter(site.declaration().environment.namespaces))
    keys = {
        f"regions.{REGION}.cluster.extendTokens": False,
        f"namespaces.{namespace}.defaultAccountToken": False,
    }
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    with site.changed_declaration(keys):
        explained(site, lambda: site.up("--skip-preview"))
        for name in CONTROL:
            words = site.on(name, "tr '\\0' '\\n' </proc/$(pgrep -o -x kube-apiserver)/cmdline")
            assert "--service-account-extend-token-expiration=false" in words.splitlines(), words
        assert client(site).ask("GET", path)[1]["automountServiceAccountToken"] is False
        nothing_left(site)
    explained(site, lambda: site.up("--skip-preview"))
    assert client(site).ask("GET", path)[1].get("automountServiceAccountToken") is not False
    nothing_left(site)


def test_sshd_takes_keys_alone_where_that_is_declared(site: Site) -> None:
    """Off by default: here it is declared, seen, and taken back."""
    shown = (
        "sshd -T -C user=root,host=localhost,addr=127.0.0.1 | grep -i -e ^passwordauth -e ^permitrootlogin"
    )
    before = {name: site.on(name, shown) for name in (*CONTROL, WORKER)}
    with site.changed_declaration({"ssh.hardened": True}):
        explained(site, lambda: site.up("--skip-preview"))
        for name in before:
            words = site.on(name, shown)
            assert "passwordauthentication no" in words, words
            assert "permitrootlogin without-password" in words or "prohibit-password" in words, words
            assert (
                site.on(name, "ls /var/lib/crossmesh/sshd-unconfirmed 2>/dev/null || echo none") == "none\n"
            )
        nothing_left(site)
    explained(site, lambda: site.up("--skip-preview"))
    assert {name: site.on(name, shown) for name in before} == before
    nothing_left(site)
