"""Releases of the catalogue on machines: those that are no default, and regions of several in one mesh.

The default ones are what `make test` brings up. Run by `make acceptance SUITE=releases`, some minutes for
each set, and for compiling what the toolchain has not yet; writes
`docs/acceptance/releases_<set>-<date>.json` for each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

import releases
from access.cluster import Cluster
from lab.spec import REFERENCE
from tests.lab.acceptance import results
from tests.lab.acceptance import test_containerd as containerd
from tests.lab.acceptance import test_upgrade_onward as onward
from tests.lab.acceptance.versions import Versions, expected, healthy, running
from tests.lab.clients import Curled, curl
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from tests.lab.test_4_failover_between_clusters import NAME as APPLICATION
from tests.lab.test_4_failover_between_clusters import NAMESPACE, by, scaled, until
from toolchain import install

NAME = os.environ.get("CROSSMESH_RELEASES_STACK", "test-rels")
EARLIER = {"kubernetes": "1.34.3", "istio": "1.28.3", "metallb": "0.15.2"}
PATCHED = {"kubernetes": "1.34.9", "istio": "1.29.1", "metallb": "0.16.1"}
NEWEST = {"kubernetes": "1.35.3", "istio": "1.29.1", "metallb": "0.16.1"}
SETS = {
    "several": {"eu": EARLIER, "us": NEWEST},
    "earlier": {"eu": EARLIER, "us": EARLIER},
    "patched": {"eu": PATCHED, "us": PATCHED},
}
"""Versions of each region, by the name of a set."""
STARTS = 5
"""Of istiod, each of which must know the other region's workloads."""
START_SECONDS = 120.0


@pytest.fixture
def report(name: str) -> Iterator[dict[str, Any]]:
    """The result file of a set, written however its test ends."""
    yield from results.reported(f"releases_{name}", versions=SETS[name])


def test_every_release_that_is_said_to_have_been_brought_up_is_in_a_set_or_a_default() -> None:
    here = {item for regions in SETS.values() for versions in regions.values() for item in versions.items()}
    here |= {("containerd", version) for version in containerd.BROUGHT_UP}
    here |= {("kubernetes", version) for version in onward.BROUGHT_UP}
    for release in releases.every():
        if release.seen is releases.Seen.BROUGHT_UP:
            named = (release.program, release.version)
            assert named in here or releases.default(release.program) == release.version


@pytest.mark.parametrize("name", SETS)
def test_a_platform_of_a_set_comes_up_and_answers_across_regions(name: str, report: dict[str, Any]) -> None:
    regions = SETS[name]
    named = {item for versions in regions.values() for item in versions.items()}
    install.install(sorted(f"{program}-{version}" for program, version in named))
    site = Site(NAME, log_directory())
    try:
        began = time.monotonic()
        site.prepare(described(site, regions))
        report["labSeconds"] = round(time.monotonic() - began, 1)
        declare(site, regions)
        report["upSeconds"] = round(site.up("--skip-preview").seconds, 1)
        healthy(site)
        report["againSeconds"] = round(site.up("--skip-preview", "--expect-no-changes").seconds, 1)
        with site.clusters() as clusters:
            for region, cluster in clusters.items():
                report[region] = seen = running(cluster)
                assert seen == expected(regions[region])
        report["istiodStarts"] = across(site)
        if name == "several":
            report["identitiesOfNoTrustDomain"] = unread(site)
        site.destroy()
    finally:
        site.stop()


def described(site: Site, regions: dict[str, Versions]) -> Any:
    """The reference lab, with a mirror that offers what the regions have."""
    description = yaml.safe_load(REFERENCE.read_text())
    description["mirror"]["releases"] = {
        program: sorted({versions[program] for versions in regions.values()}) for program in EARLIER
    }
    file = site.directory / "lab.yaml"
    file.write_text(yaml.safe_dump(description))
    return file


def declare(site: Site, regions: dict[str, Versions]) -> None:
    """Have each region name its own versions."""
    document = yaml.safe_load(site.stack_file.read_text())
    for region, versions in regions.items():
        document["config"]["crossmesh:environment"]["regions"][region]["versions"] = versions
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def across(site: Site) -> dict[str, int]:
    """How often istiod of each region was started anew, and all requests were answered from the other."""
    outputs = site.outputs()

    def asking(region: str) -> Callable[[], Curled]:
        gateway = str(outputs.regions[region].gateway_addresses[0])
        return lambda: curl(outputs, gateway, "/assetconsumer")

    with site.clusters() as clusters:
        for region, other in (("eu", "us"), ("us", "eu")):
            ask = asking(region)
            until(60, ask, by(region))
            with scaled(clusters[region], APPLICATION, NAMESPACE, 0):
                for _ in range(STARTS):
                    started_anew(clusters[region])
                    until(60, ask, by(other))
                    assert all(by(other)(ask()) for _ in range(10))
            until(60, ask, by(region))
    return dict.fromkeys(clusters, STARTS)


def unread(site: Site) -> int:
    """How many endpoints of the earlier region are taken for those of no trust domain by istiod of the newer
    one, where it may not read the earlier one's configuration. All requests are answered all the same.
    """
    bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/rolebindings"
    outputs = site.outputs()
    gateway = str(outputs.regions["us"].gateway_addresses[0])

    def ask() -> Curled:
        return curl(outputs, gateway, "/assetconsumer")

    with site.clusters() as clusters:
        clusters["eu"].delete(f"{bindings}/istio-configuration-reader")
        with scaled(clusters["us"], APPLICATION, NAMESPACE, 0):
            started_anew(clusters["us"])
            until(60, ask, lambda answer: answer.status == 200)
            assert all(ask().status == 200 for _ in range(20))
            (pod,) = istiods(clusters["us"])
            command = ["pilot-discovery", "request", "GET", "/debug/endpointShardz"]
            done = clusters["us"].execute("istio-system", pod.metadata.name, "discovery", command)
    count = done.stdout.count("spiffe:///ns/")
    assert count, "istiod read what it may not read"
    return count


def istiods(cluster: Cluster) -> list[Any]:
    """The pods of istiod that there are."""
    return list(cluster.core.list_namespaced_pod("istio-system", label_selector="app=istiod").items)


def started_anew(cluster: Cluster) -> None:
    """Delete istiod's pods and wait until others are ready and every sidecar hears of them."""
    before = {pod.metadata.name for pod in istiods(cluster)}
    for name in before:
        cluster.core.delete_namespaced_pod(name, "istio-system")
    deadline = time.monotonic() + START_SECONDS
    while True:
        pods = istiods(cluster)
        states = [status.ready for pod in pods for status in pod.status.container_statuses or ()]
        if pods and not before & {pod.metadata.name for pod in pods} and states and all(states):
            break
        assert time.monotonic() < deadline, "istiod does not come back"
        time.sleep(0.5)
    # Sidecars come back to it within seconds, and are then told anew.
    time.sleep(8)
