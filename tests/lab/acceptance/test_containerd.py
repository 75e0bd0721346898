"""A released containerd on machines: a region with it beside one with the distribution's, in one mesh; then
the other region's nodes get it under their pods.

Run by `make acceptance SUITE=containerd`, a quarter of an hour, and two minutes for compiling it the first
time; writes `docs/acceptance/containerd-<date>.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import lab
import releases
from access.cluster import Cluster
from lab.spec import REFERENCE
from report.exit_codes import ExitCode
from tests.lab.acceptance import results
from tests.lab.acceptance.upgrading import Clients
from tests.lab.clients import Curled, curl
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from tests.lab.test_4_failover_between_clusters import by, until
from tests.lab.test_7_gate import gate
from toolchain import install

NAME = os.environ.get("CROSSMESH_CONTAINERD_STACK", "test-ctd")
BROUGHT_UP = ("2.4.2",)
"""The releases that this suite is for; one of them in a run."""
VERSION = os.environ.get("CROSSMESH_CONTAINERD", BROUGHT_UP[-1])
REGION, OTHER = "eu", "us"
SWAPPED = "eu-worker-1"
"""A machine that has the distribution's containerd, without pods, before the platform comes."""
FETCH = "import sys,urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())"
FROM_MIRROR = """\
set -e
python3 -c '{fetch}' http://{mirror}/apt/archive-keyring.asc >/usr/share/keyrings/before.asc
cat >/etc/apt/sources.list.d/before.sources <<END
Types: deb
URIs: http://{mirror}/apt
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/before.asc
END
apt-get -q update --error-on=any
DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends containerd
rm /etc/apt/sources.list.d/before.sources /usr/share/keyrings/before.asc
systemctl is-active containerd
containerd --version
"""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the tests end."""
    yield from results.reported("containerd", containerd=VERSION)


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """The platform, where nodes of one region have the release."""
    install.install([f"containerd-{VERSION}"])
    found = Site(NAME, log_directory())
    try:
        found.prepare(described(found))
        report["before"] = before(found)
        declare(found)
        report["upSeconds"] = round(found.up("--skip-preview").seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


def described(site: Site) -> Path:
    """The reference lab, with a mirror that offers the release beside Debian's."""
    description = yaml.safe_load(REFERENCE.read_text())
    description["mirror"]["releases"] = {"containerd": [VERSION]}
    file = site.directory / "lab.yaml"
    file.write_text(yaml.safe_dump(description))
    return file


def before(site: Site) -> str:
    """Install the distribution's on one machine; what runs there then."""
    script = FROM_MIRROR.format(mirror=lab.addresses(NAME).mirror, fetch=FETCH)
    done = site.lab("exec", SWAPPED, "--", "sh", "-c", script, timeout=300)
    return done.stdout.strip().splitlines()[-1]


def declare(site: Site) -> None:
    """Have one region name the release."""
    document = yaml.safe_load(site.stack_file.read_text())
    region = document["config"]["crossmesh:environment"]["regions"][REGION]
    region["versions"] = {"containerd": VERSION}
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def nodes(site: Site, region: str) -> dict[str, str]:
    """What each node's kubelet says of its runtime."""
    with site.clusters() as clusters:
        cluster: Cluster = clusters[region]
        return {
            node.metadata.name: node.status.node_info.container_runtime_version
            for node in cluster.core.list_node().items
        }


def test_each_region_has_the_containerd_that_is_declared(site: Site, report: dict[str, Any]) -> None:
    report["nodes"] = {region: nodes(site, region) for region in (REGION, OTHER)}
    assert set(report["nodes"][REGION].values()) == {f"containerd://{VERSION}"}
    assert all(says.startswith("containerd://1.6.20") for says in report["nodes"][OTHER].values())


def test_nothing_is_left_of_the_distribution_s_where_it_ran_before(
    site: Site, report: dict[str, Any]
) -> None:
    assert "1.6.20" in report["before"]
    listed = site.on(SWAPPED, "dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'").splitlines()
    installed = {line.split()[1]: line.split()[2] for line in listed if line.startswith("installed ")}
    assert "containerd" not in installed
    assert installed["containerd.io"].startswith(f"{VERSION}-")
    report["runc"] = installed["runc"]
    (unit,) = site.on(SWAPPED, "systemctl show --value --property=FragmentPath containerd").split()
    owner = site.on(SWAPPED, f"dpkg-query -S {unit} || dpkg-query -S /lib/systemd/system/containerd.service")
    assert owner.startswith("containerd.io:")
    assert site.on(SWAPPED, "systemctl is-active containerd kubelet").split() == ["active"] * 2
    assert site.on(SWAPPED, "systemctl is-enabled containerd").strip() == "enabled"


def test_no_key_of_its_configuration_is_unknown(site: Site) -> None:
    for machine in nodes(site, REGION):
        dumped = site.on(machine, "containerd config dump 2>/dev/null")
        for words in ("sandbox = ", "bin_dirs = ['/usr/lib/cni']", "restrict_oom_score_adj = true"):
            assert words in dumped
        log = site.on(machine, "journalctl --unit containerd --output cat --no-pager")
        assert "nknown key" not in log and "strict mode" not in log


def test_the_pause_image_is_pinned_where_the_release_is(site: Site, report: dict[str, Any]) -> None:
    pause = releases.release("kubernetes", releases.default("kubernetes")).images["pause"]
    report["pinned"] = {}
    for region in (REGION, OTHER):
        for machine in nodes(site, region):
            listed = site.on(machine, "ctr --namespace=k8s.io images list 2>/dev/null")
            (line,) = [line for line in listed.splitlines() if line.startswith(f"{pause} ")]
            report["pinned"][machine] = "pinned=pinned" in line
    assert {name for name, pinned in report["pinned"].items() if pinned} == set(nodes(site, REGION))


def test_the_doctor_is_well_and_workloads_answer_in_both_regions(site: Site, report: dict[str, Any]) -> None:
    told = site.crossmesh("doctor", "--json", check=False)
    assert told.returncode == 0, told.stdout[-4000:]
    assert f"containerd/{REGION}" in told.stdout and f"containerd/{OTHER}" not in told.stdout
    outputs = site.outputs()
    for region in (REGION, OTHER):
        gateway = str(outputs.regions[region].gateway_addresses[0])

        def ask(gateway: str = gateway) -> Curled:
            return curl(outputs, gateway, "/assetconsumer")

        until(60, ask, by(region))
        assert all(ask().status == 200 for _ in range(20))


def test_a_second_run_changes_nothing(site: Site, report: dict[str, Any]) -> None:
    began = {machine: started(site, machine) for machine in nodes(site, REGION)}
    report["againSeconds"] = round(site.up("--skip-preview", "--expect-no-changes").seconds, 1)
    assert {machine: started(site, machine) for machine in began} == began


def test_a_restart_of_it_leaves_pods_running(site: Site) -> None:
    before = pods(site)
    for machine in nodes(site, REGION):
        site.on(machine, "systemctl restart containerd")
    time.sleep(15)
    after = pods(site)
    # The doctor's own come and go.
    stayed = before.keys() & after.keys()
    assert len(stayed) > 8
    assert {name: after[name] for name in stayed} == {name: before[name] for name in stayed}


def test_the_distribution_s_does_not_come_back_under_pods(site: Site) -> None:
    with site.changed_declaration({f"regions.{REGION}.versions.containerd": releases.DISTRIBUTION}):
        ended, _ = gate(site)
    assert ended.returncode == ExitCode.POLICY, ended.words[-4000:]
    report = (site.directory / "gate.json").read_text()
    assert f"containerd goes back from {VERSION} to the distribution's" in report
    assert set(nodes(site, REGION).values()) == {f"containerd://{VERSION}"}


def test_the_other_region_gets_it_under_its_pods(site: Site, report: dict[str, Any]) -> None:
    machines = list(nodes(site, OTHER))
    images = {machine: listed(site, machine) for machine in machines}
    document = yaml.safe_load(site.stack_file.read_text())
    document["config"]["crossmesh:environment"]["regions"][OTHER]["versions"] = {"containerd": VERSION}
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    ended, _ = gate(site)
    assert ended.returncode == ExitCode.CLEAN, ended.words[-4000:]
    told = (site.directory / "gate.json").read_text()
    assert f"containerd goes from the distribution's (1.6.20) to {VERSION} under pods" in told
    with Clients(site) as clients:
        ended = site.up("--skip-preview", check=False, timeout=1800)
    report["exchange"] = {"upSeconds": round(ended.seconds, 1), **clients.told()}
    assert ended.returncode == 0, ended.words[-8000:]
    # One worker alone takes pods here: it is not drained, and that is said.
    assert f"us-worker-1: not drained for containerd {VERSION}" in ended.words, ended.words[-8000:]
    assert set(nodes(site, OTHER).values()) == {f"containerd://{VERSION}"}
    for machine in machines:
        assert images[machine] <= listed(site, machine), f"{machine}: images are gone"
        packages = site.on(machine, "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'").splitlines()
        assert "installed containerd.io" in packages and "installed containerd" not in packages
        assert site.on(machine, "systemctl is-active containerd kubelet").split() == ["active"] * 2
    again = site.crossmesh("doctor", "--json", check=False)
    assert again.returncode == 0, again.stdout[-4000:]
    report["exchange"]["againSeconds"] = round(site.up("--skip-preview", "--expect-no-changes").seconds, 1)
    # The other region answered meanwhile, and the names led there.
    clients.were_answered(REGION)


def listed(site: Site, machine: str) -> set[str]:
    """Names of the images that containerd has there."""
    return set(site.on(machine, "ctr --namespace=k8s.io images list --quiet 2>/dev/null").split())


def started(site: Site, machine: str) -> str:
    """When containerd was started there."""
    return site.on(machine, "systemctl show --value --property=ExecMainStartTimestampMonotonic containerd")


def pods(site: Site) -> dict[str, int]:
    """How often containers of each pod of the region were started anew."""
    with site.clusters() as clusters:
        return {
            f"{pod.metadata.namespace}/{pod.metadata.name}": sum(
                status.restart_count for status in pod.status.container_statuses or ()
            )
            for pod in clusters[REGION].core.list_pod_for_all_namespaces().items
        }
