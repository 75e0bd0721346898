"""What real sites wish for, on machines: names, applications with secrets, addresses by BGP, another way out.

One environment goes through three declarations: the reference, `names_and_an_application` on top of it,
`another_way_out` on top of that; then back to the first. Each is looked at as a client, a name server, a
router or a host sees it. `make acceptance SUITE=wishes` takes a quarter of an hour and writes
`docs/acceptance/wishes-<date>.json`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

import lab
from access.network import get_http
from access.outputs import GatewayAddress
from lab.fabric import show
from lab.paths import state_dir
from lab.spec import REFERENCE
from tests.lab.acceptance import results, wishes
from tests.lab.acceptance.course import (
    ROUTES_SECONDS,
    Course,
    answered,
    containers,
    doctor,
    files,
    gateways,
    in_pods,
    led,
    restarted,
    way,
)
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import curl, status
from tests.lab.segments import wait
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_WISHES_STACK", "test-wishes")
WORKERS = {"eu": "eu-worker-1", "us": "us-worker-1"}
EDGES = ("eu-edge-1", "us-edge-1")
NODES = ("eu-cp-1", *WORKERS.values(), "us-cp-1")
WITNESS = "us-worker-1"
"""A node that proxy and mirror concern, and nothing else of what changes."""
PROXY_FILES = {
    "/etc/apt/apt.conf.d/91crossmesh-proxy",
    "/etc/systemd/system/containerd.service.d/crossmesh-proxy.conf",
}


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("wishes", seconds={})


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
def course(site: Site, report: dict[str, Any]) -> Iterator[Course]:
    """What is remembered of the first declaration."""
    found = Course(site, report, files(site, WITNESS), containers(site, "us"))
    with found.undo:
        yield found


@pytest.fixture(scope="module")
def named(course: Course) -> Ended:
    """The second declaration, applied."""
    course.declare(wishes.names_and_an_application)
    course.conceal("token", f"crossmesh:{wishes.TOKEN_SECRET}")
    course.conceal("licence", "--path", wishes.LICENCE_AT)
    return course.up("namesAndAnApplication")


@pytest.fixture(scope="module")
def beyond(course: Course, named: Ended) -> Iterator[Ended]:
    """The third declaration, planned, reported and applied; the router takes its addresses afterwards."""
    site, here, file = course.site, lab.addresses(NAME), course.site.directory / "mirror-ca.pem"
    login = f"puller:{secrets.token_urlsafe(24)}"
    with way(site, login, file) as course.asked:
        course.declare(wishes.another_way_out(here.host, file))
        course.conceal("token", f"crossmesh:{wishes.TOKEN_SECRET}")
        course.conceal("licence", "--path", wishes.LICENCE_AT)
        course.conceal("login", f"crossmesh:{wishes.LOGIN_SECRET}", value=login)
        course.told.append(login.partition(":")[2])
        kinds = [f"--report={kind}={site.directory / f'gate.{kind}'}" for kind in ("json", "markdown")]
        seal = f"--seal={site.directory / 'gate.plan'}"
        course.report["gate"] = site.crossmesh("gate", "--approve=*", seal, *kinds, check=False).returncode
        # This computer, as the machines' neighbours would, leaves the way to these addresses to the router.
        to = [wishes.SERVICES, "via", here.services_router, "dev", here.host_interface, "src", here.host]
        subprocess.run(["ip", "route", "replace", *to], check=True, timeout=10)
        ended = course.up("anotherWayOut")
        said = (state_dir(NAME) / "fabric/bird.log").read_text()
        course.report["refusedByTheRouterBefore"] = f"refused {wishes.GATEWAY}/32 from" in said
        spec = site.directory / "lab.yaml"
        spec.write_text(wishes.accepting(REFERENCE.read_text()))
        site.lab("start", "--spec", str(spec))
        yield ended


@pytest.fixture(scope="module")
def back(course: Course, beyond: Ended) -> Ended:
    """The first declaration again, applied."""
    course.undo.close()
    ended = course.up("backAgain")
    course.site.lab("start", "--spec", str(REFERENCE))
    return ended


# -- the first declaration
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "command"),
    [("planned", "systemctl restart bird"), ("killed", "systemctl kill --signal=KILL bird")],
)
def test_a_bird_that_is_started_anew_keeps_its_node_s_routes(
    how: str, command: str, site: Site, report: dict[str, Any]
) -> None:
    """Be it planned or killed: its pods are reached all the time, and its session comes back."""
    with site.clusters() as clusters:
        selector = "app=asset-mgr-ms-svc"
        pod = clusters["eu"].core.list_namespaced_pod("greencompute", label_selector=selector).items[0]
    found = restarted(site, WORKERS["eu"], str(pod.status.pod_ip), command)
    report[f"bird, {how}"] = found
    assert found["routeAskedFor"] > 20 and found["podCalled"] > 20
    assert (found["routeMissing"], found["podNotReached"]) == (0, 0)


def test_a_bird_that_is_stopped_gives_up_its_node_s_routes(site: Site, report: dict[str, Any]) -> None:
    worker = WORKERS["eu"]
    slice_ = str(site.declaration().ledger.nodes["eu"][worker])
    assert led(site, slice_) == site.machines[worker]
    site.on(worker, "systemctl stop bird")
    gone = wait(lambda: not led(site, slice_), 5, lambda: f"{slice_} is still routed to {led(site, slice_)}")
    assert site.on(worker, "systemctl is-active bird", check=False).strip() == "inactive"
    site.on(worker, "systemctl start bird")
    there = wait(lambda: led(site, slice_) == site.machines[worker], ROUTES_SECONDS, lambda: "no route again")
    report["bird, stopped"] = {
        "secondsUntilTheRouteWasGone": round(gone, 1),
        "secondsUntilItWasBack": round(there, 1),
    }


# -- names, and an application
# ------------------------------------------------------------------------------------------------------------


def test_names_and_an_application_come_up_and_are_well(course: Course, named: Ended) -> None:
    assert named.returncode == 0, named.words[-4000:]
    found = doctor(course.site)
    assert found[f"doctor/http/{wishes.FIRST_HOST}"] == "pass"
    course.report["checksOfTheDoctor"] = len(found)


def test_plain_http_is_redirected_for_the_declared_host_alone(course: Course, named: Ended) -> None:
    site, path = course.site, "/assetconsumer"
    seen = {}
    for region, address in gateways(site).items():
        sent = get_http(address, 80, path, host=wishes.FIRST_HOST)
        other = get_http(address, 80, wishes.SHOP_PATH, host=wishes.APEX)
        assert (sent.status, sent.location) == (301, f"https://{wishes.FIRST_HOST}{path}"), sent
        assert other.status == 403 and not other.location, other
        assert curl(site.outputs(), address, path, host=wishes.FIRST_HOST).status == 200
        seen[region] = {"redirected": [sent.status, sent.location], "another host": other.status}
    course.report["plainHttp"] = seen


def test_every_name_server_answers_the_apex_a_wildcard_and_a_second_domain(
    course: Course, named: Ended
) -> None:
    site, gateway = course.site, set(gateways(course.site).values())
    for host in (wishes.FIRST_HOST, wishes.APEX, wishes.BELOW_WILDCARD, wishes.OTHER):
        answered(site, host, gateway)
    seen = {}
    for server in site.outputs().nameservers:
        seen[str(server)] = {
            host: status(server, host)
            for host in (wishes.WITHIN, f"none.{wishes.SECOND}", f"none.{wishes.DOMAIN}")
        }
        assert list(seen[str(server)].values()) == ["REFUSED", "NXDOMAIN", "NXDOMAIN"], seen
    course.report["namesThatAreNotAnswered"] = seen


def test_gateways_serve_each_name_with_a_certificate_of_its_own(course: Course, named: Ended) -> None:
    outputs, hosts = (
        course.site.outputs(),
        (wishes.APEX, wishes.BELOW_WILDCARD, wishes.OTHER, wishes.WITHIN),
    )
    for region, address in gateways(course.site).items():
        for host in hosts:
            answer = curl(outputs, address, wishes.SHOP_PATH, host=host)
            assert answer.status == 200, (host, answer)
            said = answer.document
            assert (said["service"], said["region"]) == (wishes.SHOP, region)
        assert curl(outputs, address, wishes.SHOP_PATH, host=f"a.b.shop.{wishes.DOMAIN}").status == 0
        assert curl(outputs, address, wishes.SHOP_PATH, host=f"none.{wishes.SECOND}").status == 0
    course.report["servedNames"] = hosts


def test_an_application_has_its_secrets_its_user_and_its_directory(course: Course, named: Ended) -> None:
    """As its process has them: a variable, a file to read, one place to write to, port 80 without root."""
    seen = {region: in_pods(course.site, WORKERS[region]) for region in WORKERS}
    for found in seen.values():
        assert found["user"] == wishes.SHOP_USER
        _has_its_secrets(course, found)
        assert (found["reads"], found["writes"], found["writesElsewhere"]) == ("done", "done", "EROFS"), found
        assert found["changes"] in ("EACCES", "EROFS"), found
    course.report["application"] = seen


def _has_its_secrets(course: Course, found: dict[str, Any]) -> None:
    assert found["variable"] == sha256(course.secret["token"].encode()).hexdigest()
    assert found["file"] == sha256(course.secret["licence"].encode()).hexdigest()


# -- another way out
# ------------------------------------------------------------------------------------------------------------


def test_another_way_out_comes_up(course: Course, beyond: Ended) -> None:
    assert beyond.returncode == 0, beyond.words[-4000:]
    assert course.report["refusedByTheRouterBefore"], "the router took what it was not told to accept"


def test_a_gateway_is_reached_through_the_router_at_an_address_beside_the_machines(
    course: Course, beyond: Ended
) -> None:
    site, worker = course.site, course.site.machines[WORKERS["eu"]]
    seconds = wait(
        lambda: led(site, wishes.GATEWAY) == worker,
        ROUTES_SECONDS,
        lambda: show(state_dir(NAME), "show", "route"),
    )
    outputs = site.outputs()
    assert outputs.regions["eu"].gateway_addresses == (GatewayAddress.of(wishes.GATEWAY),)
    answer = curl(outputs, wishes.GATEWAY, "/assetconsumer", host=wishes.FIRST_HOST)
    assert (answer.status, answer.document["region"]) == (200, "eu"), answer
    for host in (wishes.FIRST_HOST, wishes.BELOW_WILDCARD):
        answered(site, host, {wishes.GATEWAY, gateways(site)["us"]})
    course.report["byBgp"] = {
        "announcedBy": WORKERS["eu"],
        "secondsAfterTheRouterAcceptedIt": round(seconds, 1),
    }
    for node in ("eu-cp-1", WORKERS["eu"]):
        assert "Established" in site.on(node, "birdc show protocols services"), node


def test_the_platform_is_well_with_another_way_out(course: Course, beyond: Ended) -> None:
    doctor(course.site)


def test_a_second_domain_that_goes_leaves_no_zone_and_its_servers_start(
    course: Course, beyond: Ended
) -> None:
    site = course.site
    for edge in EDGES:
        assert site.on(edge, "ls /etc/gdnsd/zones").split() == [wishes.DOMAIN]
        site.on(edge, "systemctl restart gdnsd && systemctl is-active gdnsd")
    answered(site, wishes.APEX, set(gateways(site).values()))
    for server in site.outputs().nameservers:
        assert status(server, wishes.OTHER) == "REFUSED"
    address = gateways(site)["us"]
    assert curl(site.outputs(), address, wishes.SHOP_PATH, host=wishes.OTHER).status == 0


def test_a_changed_secret_reaches_new_pods_and_other_applications_run_on(
    course: Course, beyond: Ended
) -> None:
    before = course.report["application"]
    for region in WORKERS:
        found = in_pods(course.site, WORKERS[region])
        _has_its_secrets(course, found)
        assert found["pod"] != before[region]["pod"]
    assert containers(course.site, "us") == course.containers, "containerd was started anew, no pod was"


def test_secrets_stand_in_nothing_that_is_said_or_kept(course: Course, beyond: Ended) -> None:
    """Not in what `up` and the gate said, nor in plan, reports, state, journals of hosts, logs of pods."""
    site = course.site
    for machine in site.machines:
        site.on(machine, "journalctl -q -b -o cat; cat /var/log/pods/*/*/*.log", check=False)
    kept = [site.directory / f"gate.{ending}" for ending in ("json", "markdown", "plan")]
    assert all(path.stat().st_size for path in kept), kept
    paths = [path for top in (site.logs, site.directory) for path in top.rglob("*") if path.is_file()]
    forms = [form for value in course.told for form in (value.encode(), b64encode(value.encode()))]
    found = [str(path) for path in paths if any(form in path.read_bytes() for form in forms)]
    course.report["lookedForSecretsIn"] = f"{len(paths)} files"
    assert not found, found


def test_hosts_go_out_by_the_proxy(course: Course, beyond: Ended) -> None:
    site, asked = course.site, course.asked["proxy"]
    names = {address: machine for machine, address in site.machines.items()}
    seen: dict[str, set[str]] = {}
    for request in asked:
        if request.status < 400:
            seen.setdefault(request.target.rpartition("/")[2], set()).add(names[request.client])
    assert seen["InRelease"] == set(site.machines), seen
    assert seen["SHA256SUMS"] == set(NODES), seen
    mirror = f"{lab.addresses(NAME).host}:{wishes.MIRROR_PORT}"
    assert seen[mirror] == set(WORKERS.values()), seen
    course.report["byProxy"] = {"requests": len(asked), mirror: sorted(seen[mirror])}


def test_an_image_comes_by_the_mirror_with_its_login_and_authority(course: Course, beyond: Ended) -> None:
    asked = course.asked["mirror"]
    pulled = [request.target for request in asked if request.method == "GET" and request.status == 200]
    assert any("/manifests/" in target for target in pulled), asked
    assert any("/blobs/" in target for target in pulled), asked
    with course.site.clusters() as clusters:
        for cluster in clusters.values():
            found = cluster.apps.read_namespaced_deployment(wishes.PULLED, "greencompute").status
            assert found.ready_replicas == 1
    course.report["byMirror"] = {"requests": len(asked), "answered": len(pulled)}


def test_proxy_and_mirror_change_their_own_files_and_nothing_else(course: Course, beyond: Ended) -> None:
    there = files(course.site, WITNESS)
    mirror = f"{lab.addresses(NAME).host}:{wishes.MIRROR_PORT}"
    own = {f"/etc/containerd/certs.d/{name}/hosts.toml" for name in (wishes.REGISTRY, mirror)}
    own |= {*PROXY_FILES, f"/etc/containerd/certs.d/{mirror}/ca.crt", "/etc/containerd/config.toml"}
    assert {path for path, _ in there.items() ^ course.files.items()} == own
    process = "/proc/$(systemctl show --value --property=MainPID containerd)/environ"
    variables = course.site.on(WITNESS, f"tr '\\0' '\\n' < {process} | grep -c _PROXY=")
    assert variables.strip() == "3"
    assert course.site.on(WITNESS, "stat -c %a /etc/containerd/config.toml").strip() == "600"


# -- the first declaration again
# ------------------------------------------------------------------------------------------------------------


def test_all_of_it_goes_with_its_declaration(course: Course, back: Ended) -> None:
    site = course.site
    assert back.returncode == 0, back.words[-4000:]
    assert files(site, WITNESS) == course.files
    process = "/proc/$(systemctl show --value --property=MainPID containerd)/environ"
    for node in NODES:
        assert not site.on(node, f"tr '\\0' '\\n' < {process} | grep _PROXY=", check=False)
    for edge in EDGES:
        assert site.on(edge, "ls /etc/gdnsd/zones /etc/apt/apt.conf.d").split().count(wishes.DOMAIN) == 1
        assert "91crossmesh-proxy" not in site.on(edge, "ls /etc/apt/apt.conf.d")
    assert not led(site, wishes.GATEWAY)
    addresses_now = gateways(site)
    assert wishes.GATEWAY not in addresses_now.values()
    answered(site, wishes.FIRST_HOST, set(addresses_now.values()))
    for server in site.outputs().nameservers:
        assert status(server, wishes.BELOW_WILDCARD) == "NXDOMAIN"
    for address in addresses_now.values():
        assert get_http(address, 80, "/", host=wishes.FIRST_HOST, seconds=2).status == 0
        assert curl(site.outputs(), address, "/assetconsumer").status == 200
    with site.clusters() as clusters:
        for cluster in clusters.values():
            deployments = cluster.apps.list_namespaced_deployment("greencompute").items
            assert {entry.metadata.name for entry in deployments} == set(
                site.declaration().environment.applications
            )
            kept = cluster.core.list_namespaced_secret("greencompute").items
            assert not [entry.metadata.name for entry in kept if entry.metadata.name.startswith(wishes.SHOP)]


def test_nothing_is_left_to_do_and_all_is_well(course: Course, back: Ended) -> None:
    again = course.site.up("--skip-preview", "--expect-no-changes")
    course.report["seconds"]["again"] = round(again.seconds, 1)
    doctor(course.site)
    drift = course.site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]
