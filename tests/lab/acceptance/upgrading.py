"""What suites of upgrades share: clients at work, what has to be there after, and what machines say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dns.exception
import yaml

from access.cluster import Cluster
from access.errors import AccessError
from lab.spec import REFERENCE
from live.doctor.probes import NAMESPACE as PROBES
from playbooks.provider.membership import CORDONED_FOR
from tests.lab.acceptance.versions import Versions, expected, healthy, running
from tests.lab.clients import addresses, curl
from tests.lab.site import Site

NODES = ["eu-cp-1", "eu-worker-1", "eu-worker-2", "us-cp-1", "us-worker-1"]
"""In the order of their turns."""
CONTROL = {"eu": "eu-cp-1", "us": "us-cp-1"}
"""The control plane of each region."""
PATH = "/assetconsumer"
BETWEEN_SECONDS = 0.5
"""From one round of questions to the next: at most two requests a second at each gateway."""
UNANSWERED, UNANSWERED_SECONDS = 0.01, 5.0
"""Of requests to two replicas of all, and for how long at a time."""
KEPT = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/api/v1/namespaces/greencompute/configmaps",
    "/api/v1/namespaces/istio-system/secrets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/security.istio.io/v1/peerauthentications",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/metallb.io/v1beta1/ipaddresspools",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
)
"""Of what the objects stay the same ones."""


class Clients(Thread):
    """Asks as browsers do, and each gateway alone, all the time; counts what was not answered, and keeps for
    how long at a time."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.outputs = site.outputs()
        self.over = Event()
        self.found: Counter[str] = Counter()
        self.problems: list[str] = []
        self.longest: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Clients:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join(60)

    def run(self) -> None:
        """Until it is over."""
        gateways = {
            region: str(output.gateway_addresses[0]) for region, output in self.outputs.regions.items()
        }
        while not self.over.wait(BETWEEN_SECONDS):
            for region, gateway in gateways.items():
                self._ask(region, gateway)
            for server in self.outputs.nameservers:
                try:
                    targets = sorted(addresses(server, self.outputs.host)[0])
                except (OSError, dns.exception.DNSException) as error:
                    self._count("everywhere", f"{server.address}: {error}")
                    continue
                self._ask("everywhere", ",".join(targets))

    def _ask(self, whom: str, targets: str) -> None:
        answer = curl(self.outputs, targets, PATH)
        self._count(whom, "" if answer.status == 200 else f"{answer.status} {answer.problem}")

    def _count(self, whom: str, problem: str) -> None:
        now = time.monotonic()
        self.found[f"asked {whom}"] += 1
        if not problem:
            self._since.pop(whom, None)
            return
        self.found[f"unanswered {whom}"] += 1
        since = self._since.setdefault(whom, now)
        self.longest[whom] = max(self.longest.get(whom, 0.0), now - since)
        self.problems.append(f"{now - self._began:.1f} s: {whom}: {problem}"[:200])

    def were_answered(self, whom: str) -> None:
        """Fail unless they were, but for what may be lost with a pod that goes: one request in a hundred, and
        never for longer than a client that asks again notices."""
        asked, unanswered = self.found[f"asked {whom}"], self.found[f"unanswered {whom}"]
        assert asked > 20, self.told()
        assert unanswered <= asked * UNANSWERED, self.told()
        assert self.longest.get(whom, 0.0) <= UNANSWERED_SECONDS, self.told()

    def told(self) -> dict[str, Any]:
        """What the report says of it."""
        return {
            "requests": dict(sorted(self.found.items())),
            "longestSecondsUnanswered": {whom: round(longest, 1) for whom, longest in self.longest.items()},
            "problems": self.problems[:40],
        }


def objects(cluster: Cluster) -> dict[str, str]:
    """UIDs of what stays, by path and name."""
    return {
        f"{path} {found['metadata'].get('namespace', '')}/{found['metadata']['name']}": found["metadata"][
            "uid"
        ]
        for path in KEPT
        for found in (cluster.get(path) or {}).get("items", ())
        # The doctor's own come and go.
        if PROBES not in (found["metadata"]["name"], found["metadata"].get("namespace"))
    }


def kept(site: Site) -> dict[str, dict[str, str]]:
    """The same by region."""
    with site.clusters() as clusters:
        return {region: objects(cluster) for region, cluster in clusters.items()}


def lost(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Objects that are gone, or are others under the same names."""
    return [
        f"{region}: {name}"
        for region, uids in before.items()
        for name, uid in uids.items()
        if after[region].get(name) != uid
    ]


def starts(site: Site) -> dict[str, float]:
    """When kubelet was last started on each node, in seconds of the clock that all machines share."""
    asked = "systemctl show --value --property=ExecMainStartTimestampMonotonic kubelet"
    return {node: int(site.on(node, asked)) / 1e6 for node in NODES}


def described(site: Site, releases: dict[str, list[str]]) -> Path:
    """The reference lab with one worker more, and a mirror that offers these releases, by program."""
    description = yaml.safe_load(REFERENCE.read_text())
    description["regions"]["eu"].append("eu-worker-2")
    description["mirror"]["releases"] = releases
    file = site.directory / "lab.yaml"
    file.write_text(yaml.safe_dump(description))
    return file


def declare(site: Site, versions: Versions, unlisted: Sequence[dict[str, str]] = ()) -> None:
    """These versions, the worker more, and two replicas of each application. unlisted: pairs of releases that
    no list has."""
    with edited(site) as environment:
        environment["versions"] = versions
        environment["unlistedPairs"] = [*unlisted]
        nodes = environment["regions"]["eu"]["cluster"]["nodes"]
        nodes["eu-worker-2"] = {**nodes["eu-worker-1"], "address": site.machines["eu-worker-2"]}
        for application in environment["applications"].values():
            application["replicas"] = 2
    site.crossmesh("ledger", "--write")


@contextmanager
def edited(site: Site) -> Iterator[dict[str, Any]]:
    """The environment that is declared, to be changed in the body."""
    document = yaml.safe_load(site.stack_file.read_text())
    yield document["config"]["crossmesh:environment"]
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def ended_well(site: Site, report: dict[str, Any], versions: Versions, before: str) -> None:
    """All is of the versions, well, as schedulable as before, and the next run has nothing to do.

    before: the version of Kubernetes that nothing names any more.
    """
    with site.clusters() as clusters:
        for region, cluster in clusters.items():
            report[region] = seen = running(cluster)
            assert seen == expected(versions), f"{region}: {seen}, and declared {expected(versions)}"
            for node in (cluster.get("/api/v1/nodes") or {})["items"]:
                name = node["metadata"]["name"]
                assert not node["spec"].get("unschedulable"), f"{name} is still cordoned"
                assert CORDONED_FOR not in node["metadata"].get("annotations", {}), name
    healthy(site)
    report["againSeconds"] = round(site.up("--skip-preview", "--expect-no-changes").seconds, 1)
    for host in NODES:
        pins = site.on(host, "cat /etc/apt/preferences.d/crossmesh")
        assert f"version {versions['kubernetes']}-*" in pins and before not in pins, f"{host}: {pins}"


TOLD = (
    "systemctl --no-pager --lines=12 status kubelet; cat /var/lib/crossmesh/upgrade.json; echo; "
    "ls /etc/kubernetes/manifests /var/lib/crossmesh; grep -h image: /etc/kubernetes/manifests/*.yaml; "
    "for part in etcd kube-apiserver; do tail -n 8 /var/log/pods/kube-system_$part-*/*/*.log; done"
)


@contextmanager
def explained(site: Site) -> Iterator[None]:
    """Where what is done fails, say too what each machine says of itself and what the doctor leads with."""
    try:
        yield
    except (AssertionError, AccessError) as error:
        machines = "\n".join(f"== {node}\n{site.on(node, TOLD, check=False)[-3000:]}" for node in NODES)
        doctor = site.crossmesh("doctor", check=False).words
        raise AssertionError(f"{error}\n== doctor\n{doctor[:3000]}\n{machines}") from error
