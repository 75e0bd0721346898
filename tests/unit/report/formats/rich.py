"""A rich examination: a bit of everything that a report has to tell."""

from __future__ import annotations

from datetime import date

from report.examination import Examination, Verdict
from report.exit_codes import ExitCode
from report.model import (
    SECRET,
    UNKNOWN,
    Against,
    Blast,
    ChangeSet,
    Finding,
    Layer,
    Link,
    Notice,
    Op,
    Part,
    Place,
    PropertyChange,
    Risk,
    Row,
    Rule,
    Severity,
    Status,
    Topology,
    Waiver,
)
from tests.unit.report.formats.builders import (
    STACK_FILE,
    STORAGE,
    VERSIONS,
    change,
    create,
    delete,
    resource,
    urn,
)


def rich() -> Examination:
    """A bit of everything: the change that adds a region, moves a worker and rotates an authority."""
    host = "crossmesh:hosts:HostPhase"
    changes = (
        change(
            Op.REPLACE,
            "kubernetes:apps/v1:StatefulSet",
            "eu-kafka",
            [
                PropertyChange(STORAGE, "10Gi", "20Gi", True),
                PropertyChange("spec.replicas", 3, 5),
                PropertyChange("metadata.annotations", None, {"owner": "events", "checked": "true"}),
            ],
            replace_reasons=(
                STORAGE,
                "spec.serviceName",
            ),
            risk=Risk.DESTRUCTIVE,
            why="its pods go, and what only they know",
            blast=Blast(("eu",), (), (), None),
            declared=Place(STACK_FILE, 118),
            program=Place("components/events.py", 31),
        ),
        delete(
            host,
            "us-worker-2-join",
            {"host": "us-worker-2", "phase": "join", "reset_on_delete": True},
            risk=Risk.DESTRUCTIVE,
            why="the host is reset: what the phase made is taken away",
            blast=Blast(("us",), ("us-worker-2",), (), 0.1667),
            program=Place("components/bare_metal_cluster.py", 88),
            approved=True,
        ),
        change(
            Op.UPDATE,
            "kubernetes:core/v1:ConfigMap",
            "eu-istio",
            [
                PropertyChange(
                    "data.mesh",
                    "accessLogFile: /dev/stdout\ntrustDomain: lab.crossmesh.test\nrootNamespace: istio\n",
                    "accessLogFile: ''\ntrustDomain: lab.crossmesh.test\nrootNamespace: istio\n",
                )
            ],
            risk=Risk.TRAFFIC,
            why="what proxies and gateways are configured with changes",
            blast=Blast(("eu",), (), (), 0.5),
            declared=Place(STACK_FILE, 94),
            program=Place("components/istio_control_plane.py", 40),
        ),
        change(
            Op.UPDATE,
            "kubernetes:core/v1:Secret",
            "eu-istio-remote-secret-us",
            [PropertyChange("stringData.us", SECRET, UNKNOWN)],
            risk=Risk.TRAFFIC,
            why="what proxies and gateways are configured with changes",
            blast=Blast(("eu", "us"), (), ("eu-edge-1", "us-edge-1"), 1.0),
            declared=Place(STACK_FILE, 52),
            pending=True,
        ),
        *(
            create("kubernetes:core/v1:ConfigMap", f"ap-settings-{number}", {"data": {"a": str(number)}})
            for number in range(1, 4)
        ),
        create(
            host,
            "ap-worker-1-prepare",
            {"host": "ap-worker-1", "phase": "prepare", "address": UNKNOWN},
            blast=Blast(("ap",), ("ap-worker-1",)),
            declared=Place(STACK_FILE, 81),
        ),
        change(
            Op.UPDATE,
            "kubernetes:apps/v1:Deployment",
            "eu-asset-mgr-ms-svc",
            [PropertyChange("metadata.labels.version", "1.0.0", "1.1.0")],
            declared=Place(STACK_FILE, 103),
        ),
    )
    same = tuple(
        resource("kubernetes:core/v1:Namespace", name) for name in ("eu-greencompute", "us-greencompute")
    )
    notices = (
        Notice("info", "check mode: 3 tasks would change eu-worker-1", urn(host, "eu-worker-1-prepare")),
        Notice("warning", "a lock was left behind by a run that is dead", ""),
    )
    layers = (
        Layer(
            "hosts",
            "Hosts",
            (Row("ap-worker-1 prepare", None, "8 tasks"), Row("eu-cp-1 prepare", "no change", "no change")),
            ("eu-worker-1 did not answer on port 22: what its plays would change is not known",),
        ),
        Layer(
            "dns",
            "DNS answers",
            (
                Row("assetmanagement.lab.crossmesh.test", "10.101.1.200, 10.101.2.200", "10.101.1.200"),
                Row("old.lab.crossmesh.test", "10.101.1.201", None),
            ),
        ),
        Layer("addresses", "Addresses", (Row("pods of eu", "172.30.0.0/20", "172.30.0.0/20"),)),
    )
    rules = (
        Rule("declaration/valid", "The stack file is a valid declaration"),
        Rule("policy/image-pinned", "Images are pinned", "Name an image by its digest.", Severity.WARNING),
        Rule("policy/no-privileged", "No pod is privileged", "Drop what the container does not need."),
        Rule("policy/replicas", "What is exposed has two replicas", "Set replicas to 2 or more."),
        Rule("schema/valid", "Every object is valid for its cluster's version"),
        Rule("pack:acme/labels", "Objects have an owner", severity=Severity.NOTE),
    )
    deployment = urn("kubernetes:apps/v1:Deployment", "eu-asset-mgr-ms-svc")
    waiver = Waiver(
        "policy/no-privileged",
        "eu-pod-network",
        "network team",
        "BIRD sets routes of its host",
        date(2026, 12, 31),
        Place("policies/waivers.yaml", 4),
    )
    findings = (
        Finding("declaration/valid", Status.PASS, ""),
        Finding(
            "policy/replicas",
            Status.FAIL,
            "asset-mgr-ms-svc is exposed and has 1 replica",
            urn=deployment,
            place=Place(STACK_FILE, 103),
            fix="Set applications.asset-mgr-ms-svc.replicas to 2.",
        ),
        Finding(
            "policy/image-pinned",
            Status.FAIL,
            "docker.io/crossmesh/asset-service:1.1.0 has no digest",
            Severity.WARNING,
            deployment,
            Place(STACK_FILE, 104),
        ),
        Finding(
            "policy/no-privileged",
            Status.WAIVED,
            "the container bird is privileged",
            urn=urn("kubernetes:apps/v1:DaemonSet", "eu-pod-network"),
            place=Place("components/pod_network.py", 17),
            waiver=waiver,
        ),
        Finding(
            "schema/valid",
            Status.NOT_MEASURABLE,
            "no schema of gateway.networking.k8s.io/v1 Gateway is known",
            urn=urn("kubernetes:gateway.networking.k8s.io/v1:Gateway", "eu-public"),
        ),
        Finding("schema/valid", Status.PASS, "", urn=deployment),
        Finding("pack:acme/labels", Status.FAIL, "no owner is named", Severity.NOTE, deployment),
    )
    return Examination(
        stack="lab",
        verb="gate",
        verdict=Verdict(ExitCode.POLICY, "1 finding against the change: policy/replicas."),
        changes=ChangeSet(Against.STATE, changes, same, notices),
        layers=layers,
        rules=rules,
        findings=findings,
        producer=VERSIONS,
        topology=topology(),
        sealed="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    )


def topology() -> Topology:
    """Three regions; one comes, a host goes."""
    parts: list[Part] = []
    links: list[Link] = []
    for region, op in (("ap", Op.CREATE), ("eu", Op.SAME), ("us", Op.SAME)):
        cluster = f"cluster:{region}"
        parts += [
            Part(f"region:{region}", "region", region, "", op),
            Part(
                cluster,
                "cluster",
                f"cluster {region}",
                f"region:{region}",
                Op.UPDATE if op is Op.SAME else op,
            ),
            Part(f"host:{region}-edge-1", "edge", f"{region}-edge-1", f"region:{region}", op),
            Part(f"gateway:{region}/public", "gateway", "crossmesh-gateway", cluster, op),
        ]
        for name in ("asset-consumer-svc", "asset-dashboard-bff-svc", "asset-mgr-ms-svc"):
            changed = Op.UPDATE if (region, name) == ("eu", "asset-mgr-ms-svc") else op
            parts.append(Part(f"service:{region}/{name}", "service", name, cluster, changed))
            links.append(Link(f"gateway:{region}/public", f"service:{region}/{name}", "route", "", changed))
        parts.append(Part(f"host:{region}-cp-1", "node", f"{region}-cp-1", cluster, op))
        parts.append(Part(f"host:{region}-worker-1", "node", f"{region}-worker-1", cluster, op))
    parts.append(Part("host:us-worker-2", "node", "us-worker-2", "cluster:us", Op.DELETE, Risk.DESTRUCTIVE))
    parts.append(Part("service:eu/kafka", "service", "kafka", "cluster:eu", Op.REPLACE, Risk.DESTRUCTIVE))
    for one, other in (("ap", "eu"), ("ap", "us"), ("eu", "us")):
        op = Op.CREATE if one == "ap" else Op.SAME
        links.append(Link(f"cluster:{one}", f"cluster:{other}", "mesh", "", op))
    for host in ("ap", "eu", "us"):
        for gateway in ("ap", "eu", "us"):
            op = Op.CREATE if "ap" in (host, gateway) else Op.SAME
            links.append(Link(f"host:{host}-edge-1", f"gateway:{gateway}/public", "answer", "", op))
    return Topology(tuple(parts), tuple(links))
