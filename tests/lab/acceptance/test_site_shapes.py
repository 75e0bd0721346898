"""Sites of other shapes than the reference's: one machine; two without a router; hosts behind a jump host.

Each is brought up on machines of its own, is well and stays as it is, and is taken down before the next. Run
by `make acceptance SUITE=site_shapes`; takes about a quarter of an hour and writes
`docs/acceptance/site_shapes-<date>.json`.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from access import ssh
from access.ssh import Connection
from lab.spec import REFERENCE
from tests.lab.acceptance import results
from tests.lab.clients import addresses, curl
from tests.lab.conftest import log_directory
from tests.lab.segments import wait
from tests.lab.site import Site

NAME = os.environ.get("CROSSMESH_SITE_SHAPES_STACK", "test-shapes")
APPLICATION, PATH = "asset-dashboard-bff-svc", "/assetdashboard"
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
DEBIAN_13 = {"suite": "trixie"}
PACKAGES = ("systemd", "containerd", "bird2", "gdnsd", "sudo")
API_NAMES = ["tower.lab.crossmesh.test", "100.64.223.60"]


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("site_shapes")


@contextmanager
def lab_of(*machines: str | dict[str, str]) -> Iterator[Site]:
    """A lab of one region with these machines; nothing of it is left at the end."""
    site = Site(NAME, log_directory())
    described = yaml.safe_load(REFERENCE.read_text())
    described["regions"] = {"eu": list(machines)}
    try:
        file = site.directory / "lab.yaml"
        file.write_text(yaml.safe_dump(described))
        site.prepare(file)
        yield site
        site.destroy()
    finally:
        site.stop()


def declare(site: Site, shape: Callable[[dict[str, Any]], None]) -> None:
    """Declare the region `eu` alone with one application. shape: what else is different."""
    document = yaml.safe_load(site.stack_file.read_text())
    environment = document["config"]["crossmesh:environment"]
    del environment["regions"]["us"]
    environment["applications"] = {
        APPLICATION: environment["applications"][APPLICATION] | {"resources": RESOURCES}
    }
    (ingress,) = environment["ingresses"].values()
    ingress["paths"] = [{"path": PATH, "application": APPLICATION}]
    shape(environment)
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def without_routers(environment: dict[str, Any], **login: str) -> None:
    """Nobody speaks BGP, and nobody answers names. login: what else is different in `ssh`."""
    eu = environment["regions"]["eu"]
    del eu["fabric"], eu["edges"], environment["globalLoadBalancer"]
    environment["ssh"] |= login


def alone(environment: dict[str, Any]) -> None:
    """One machine is the region: its control plane, and where everything else runs."""
    without_routers(environment)
    nodes = environment["regions"]["eu"]["cluster"]["nodes"]
    del nodes["eu-worker-1"]
    nodes["eu-cp-1"]["workload"] = True


def well(site: Site) -> dict[str, float]:
    """See that the site is healthy, answers, and has nothing left to do; the seconds that some of it took."""
    doctor = site.crossmesh("doctor", "--json", check=False)
    assert doctor.returncode == 0, doctor.stdout[-4000:]
    outputs = site.outputs()
    gateway = str(outputs.regions["eu"].gateway_addresses[0])
    assert curl(outputs, gateway, PATH).status == 200
    again = site.up("--skip-preview", "--expect-no-changes")
    drift = site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]
    return {"doctorSeconds": round(doctor.seconds, 1), "secondUpSeconds": round(again.seconds, 1)}


def test_one_machine_alone_is_a_site_and_its_api_gets_another_name(report: dict[str, Any]) -> None:
    with lab_of("eu-cp-1") as site:
        declare(site, alone)
        up = site.up("--skip-preview")
        report["one machine"] = {"upSeconds": round(up.seconds, 1), **well(site)}
        with site.clusters() as clusters:
            (node,) = clusters["eu"].core.list_node().items
            pods = clusters["eu"].core.list_pod_for_all_namespaces().items
        assert not node.spec.taints
        assert {pod.status.phase for pod in pods} == {"Running"}
        report["one machine"]["pods"] = len(pods)
        assert [serves(site, name) for name in ("eu-cp-1", *API_NAMES)] == [True, False, False]
        with site.changed_declaration({"regions.eu.cluster.apiServerNames": API_NAMES}):
            site.up("--skip-preview")
            assert [serves(site, name) for name in ("eu-cp-1", *API_NAMES)] == [True, True, True]
            well(site)


def serves(site: Site, name: str) -> bool:
    """Whether the API server shows a certificate of its cluster's authority for a name or address."""
    kubeconfig = yaml.safe_load(site.outputs().kubeconfigs["eu"])
    authority = base64.b64decode(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    with socket.create_connection((site.machines["eu-cp-1"], 6443), 10) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


def test_two_machines_without_a_router_know_the_way_and_one_of_them_moves(report: dict[str, Any]) -> None:
    with lab_of("eu-cp-1", "eu-worker-1") as site:
        old = site.machines["eu-worker-1"]
        new = f"{old.rpartition('.')[0]}.42"
        known = knowing(site, old, new)
        declare(site, lambda environment: without_routers(environment, knownHostsFile=known))
        up = site.up("--skip-preview")
        assert ways_to_pods(site, "eu-cp-1") == {old}
        report["two machines without a router"] = {"upSeconds": round(up.seconds, 1), **well(site)}
        site.on("eu-cp-1", "systemctl restart systemd-networkd")
        assert ways_to_pods(site, "eu-cp-1") == {old}, "networkd took them out, and BIRD looks once a minute"
        move(site, "eu-worker-1", old, new)
        with site.changed_declaration({"regions.eu.cluster.nodes.eu-worker-1.address": new}):
            site.up("--skip-preview")
            assert ways_to_pods(site, "eu-cp-1") == {new}
            with site.clusters() as clusters:
                start_anew_what_has_the_address(clusters["eu"].core, old)
                node = clusters["eu"].core.read_node("eu-worker-1")
            assert new in [address.address for address in node.status.addresses]
            well(site)


def ways_to_pods(site: Site, node: str) -> set[str]:
    """By whom a node reaches pods of others: BIRD's routes in its kernel."""
    listed = json.loads(site.on(node, "ip -json -4 route show proto bird"))
    return {route["gateway"] for route in listed if "gateway" in route}


def move(site: Site, machine: str, old: str, new: str) -> None:
    """Give a machine another address, after the answer is on its way by the old one."""
    script = (
        f"sed -i 's/{old}/{new}/' /etc/systemd/network/10-host0.network /etc/hosts && "
        "sleep 3 && networkctl reload && networkctl reconfigure host0"
    )
    site.on(machine, f'systemd-run --collect --no-block sh -c "{script}"')


def knowing(site: Site, old: str, new: str) -> str:
    """A file of known host keys in which a machine's key is that of its new address too."""
    file = site.directory / "known_hosts"
    file.write_text(known_hosts(site).read_text().replace(f"{old} ", f"{old},{new} "))
    return str(file)


def known_hosts(site: Site) -> Path:
    """The declared host keys."""
    declared = site.declaration().environment.ssh
    assert declared is not None
    return Path(declared.known_hosts_file).expanduser()


def start_anew_what_has_the_address(core: Any, address: str) -> None:
    """docs/guides/moves.md: pods on the host's network keep its old address until they are started anew."""

    def pods() -> Any:
        return core.list_pod_for_all_namespaces().items

    def ready(pod: Any) -> bool:
        return any(said.type == "Ready" and said.status == "True" for said in pod.status.conditions or ())

    for pod in pods():
        if pod.status.pod_ip == address:
            core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
    wait(
        lambda: all(ready(pod) and pod.status.pod_ip != address for pod in pods()),
        120,
        lambda: f"not ready, or at {address}: {[pod.metadata.name for pod in pods() if not ready(pod)]}",
    )


def test_hosts_on_debian_13_behind_a_jump_host_are_set_up_by_a_user_with_a_password(
    report: dict[str, Any],
) -> None:
    hosts = ("eu-cp-1", "eu-edge-1")
    cp, edge = ({"name": name, **DEBIAN_13} for name in hosts)
    with lab_of(cp, "eu-jump-1", edge) as site:
        password = secrets.token_urlsafe(16)
        keys = {user: make_key(site, user) for user in ("deploy", "gate")}
        jump = site.machines["eu-jump-1"]
        let_in(site, "eu-jump-1", keys["gate"], "useradd --create-home gate", "gate")
        useradd = f"useradd --create-home --groups sudo --shell /bin/bash --password '{hashed(password)}'"
        for host in hosts:
            let_in(site, host, keys["deploy"], f"{useradd} deploy", f"deploy@{jump}")
        declare(site, lambda environment: behind(environment, jump, keys))
        site.give_secret("crossmesh:sudoPassword", password)
        assert not opens(site, hosts[0], keys["deploy"]), "no way but through the jump host"
        site.crossmesh("preflight")
        seen = json.loads(site.crossmesh("hosts", "--json").stdout)
        assert {entry["host"] for entry in seen} == set(hosts)
        assert all(entry["distribution"].startswith("Debian GNU/Linux 13") for entry in seen), seen
        assert all(entry["way"].endswith(f" through gate@{jump}") for entry in seen), seen
        up = site.up("--skip-preview")
        report["Debian 13 behind a jump host"] = {
            "upSeconds": round(up.seconds, 1),
            **well(site),
            "packages": {host: versions(site, host) for host in hosts},
        }
        outputs = site.outputs()
        assert [addresses(server, outputs.host)[0] for server in outputs.nameservers] == [
            {str(outputs.regions["eu"].gateway_addresses[0])}
        ]
        assert password not in site.pulumi("stack", "export").stdout


def behind(environment: dict[str, Any], jump: str, keys: dict[str, Path]) -> None:
    """Declare the way through the jump host, and for each distribution its part of the mirror."""
    eu = environment["regions"]["eu"]
    del eu["cluster"]["nodes"]["eu-worker-1"]
    eu["cluster"]["nodes"]["eu-cp-1"]["workload"] = True
    (mirror,) = environment["sources"]["apt"]
    environment["sources"]["apt"] = [
        mirror | {"name": f"mirror-{number}", "suite": suite, "distribution": f"debian-{number}"}
        for number, suite in ((12, "bookworm"), (13, "trixie"))
    ]
    environment["ssh"] |= {
        "user": "deploy",
        "privateKeyFile": str(keys["deploy"]),
        "becomePassword": "sudoPassword",
        "jump": {"address": jump, "user": "gate", "privateKeyFile": str(keys["gate"])},
    }


def make_key(site: Site, user: str) -> Path:
    """A new key of ssh for a user; the path of its private half."""
    file = site.directory / f"key-of-{user}"
    site.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", user, "-f", str(file))
    return file


def hashed(password: str) -> str:
    """The password as a machine keeps it."""
    command = ["openssl", "passwd", "-6", "-stdin"]
    return subprocess.run(command, input=password, text=True, capture_output=True, check=True).stdout.strip()


def let_in(site: Site, machine: str, key: Path, useradd: str, who: str) -> None:
    """Make a user on a machine, and let in nobody beside the lab itself. who: for sshd's AllowUsers."""
    home = f"/home/{who.partition('@')[0]}/.ssh"
    public = key.with_name(f"{key.name}.pub").read_text().strip()
    site.on(
        machine,
        f"{useradd} && mkdir {home} && echo '{public}' > {home}/authorized_keys && "
        f"echo 'AllowUsers root {who}' > /etc/ssh/sshd_config.d/users.conf && systemctl restart ssh",
    )


def opens(site: Site, machine: str, key: Path) -> bool:
    """Whether a key opens a machine directly, for who has to go through the jump host."""
    direct = Connection(site.machines[machine], "deploy", str(key), str(known_hosts(site)))
    return site.run("ssh", *ssh.options(direct), direct.address, "true", check=False).returncode == 0


def versions(site: Site, machine: str) -> dict[str, str]:
    """What of the packages that matter is installed."""
    said = site.on(machine, f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(PACKAGES)} || true")
    return dict(words for line in said.splitlines() if len(words := line.split()) == 2)
