"""Examinations that nobody makes on purpose: a hostile one and a huge one."""

from __future__ import annotations

from datetime import date

from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import (
    UNKNOWN,
    Against,
    Blast,
    Change,
    ChangeSet,
    Finding,
    Layer,
    Link,
    Notice,
    Op,
    Part,
    Place,
    PropertyChange,
    Resource,
    Risk,
    Row,
    Rule,
    Severity,
    Status,
    Topology,
    Waiver,
)
from tests.unit.report.formats.builders import VERSIONS, change, create, delete, urn

HOSTILE = (
    "`|<!-- crossmesh-gate -->\n# forged\r\n</details><script>alert(1)</script> @everyone #1 !1 owner/repo#2 "
    "[click](https://evil.example) ![x](http://evil.example/x.png) **bold** ~~gone~~ :tada: www.evil.example "
    "me@evil.example \x1b[31mred\x1b[0m \x07\x00\x08\u202egnp\u2028\ud800 | a | b |\n|---|---|\n"
    "```\n``````` $x$ &amp; {0} {{1}} ]](2) GH-3 --> ]]> \\` \\| %s"
)


def hostile(text: str = HOSTILE) -> Examination:
    """The same text wherever a text can be."""
    place = Place(text, 3)
    nested = {text: [text, {"a": UNKNOWN}]}
    properties = [
        PropertyChange(text, text, f"{text}\nmore", True),
        PropertyChange("a", nested, None),
        PropertyChange("b", None, text.replace("\n", " ")),
    ]

    def changed(op: Op, risk: Risk, number: int) -> Change:
        old, new = (
            Resource(f"{text}{number}", text, text, nested, parent=text, provider=text) for _ in range(2)
        )
        return Change(
            op,
            f"{text}{number}",
            None if op is Op.CREATE else old,
            None if op is Op.DELETE else new,
            () if op in (Op.CREATE, Op.DELETE) else tuple(properties),
            (text, "c"),
            risk,
            text,
            Blast((text,), (text, "n"), (text,), None),
            place,
            place,
        )

    numbers = iter(range(100))
    changes = [changed(op, risk, next(numbers)) for risk in Risk for op in Op if op is not Op.SAME]
    waiver = Waiver(text, text, text, text, date(2027, 1, 1), place)
    findings = [
        Finding(text, status, text, severity, text, place, text, waiver if status is Status.WAIVED else None)
        for status in Status
        for severity in Severity
    ]
    return Examination(
        stack=text,
        verb="gate",
        verdict=Verdict(ExitCode.POLICY, text),
        changes=ChangeSet(
            Against.BASE, tuple(changes), (Resource(text, text, text, {}),), (Notice("info", text, text),)
        ),
        layers=(
            Layer("dns", text, (Row(text, text, None), Row(text, None, text), Row(text, "", text)), (text,)),
        ),
        rules=(Rule(text, text, text),),
        findings=tuple(findings),
        producer=Producer(text, text, text, True, text),
        topology=Topology(
            (
                Part(text, "region", text, "", Op.DELETE, Risk.DESTRUCTIVE),
                Part(f"{text}1", "cluster", text, text, Op.CREATE),
                Part(f"{text}2", "gateway", text, f"{text}1", Op.UPDATE),
                Part(f"{text}3", text, text, f"{text}1", Op.REPLACE),
                Part(f"{text}4", "edge", text, text),
            ),
            (
                Link(f"{text}4", f"{text}2", "answer", text, Op.CREATE),
                Link(f"{text}2", f"{text}3", text, text),
            ),
        ),
        sealed=text,
    )


def huge(clusters: int = 50, changes: int = 5000) -> Examination:
    """A platform of many clusters of which everything changes."""
    found: list[Change] = []
    for number in range(changes):
        region = f"r{number % clusters:02}"
        declared = Place("stacks/Pulumi.huge.yaml", 10 + number)
        blast = Blast((region,), (f"{region}-worker-1",), (), 0.02)
        inputs = {"metadata": {"name": f"app-{number}", "namespace": "apps"}, "data": {"config": "x" * 600}}
        if number % 50 == 0:
            found.append(
                delete(
                    "kubernetes:apps/v1:StatefulSet",
                    f"{region}-store-{number}",
                    inputs,
                    risk=Risk.DESTRUCTIVE,
                    why="its pods go, and what only they know",
                    blast=blast,
                    declared=declared,
                )
            )
        elif number % 5 == 0:
            entries = [
                PropertyChange(f"spec.template.spec.containers[{entry}].image", f"a:{number}", f"b:{number}")
                for entry in range(4)
            ]
            found.append(
                change(
                    Op.UPDATE,
                    "kubernetes:apps/v1:Deployment",
                    f"{region}-app-{number}",
                    entries,
                    risk=Risk.TRAFFIC,
                    why="its pods start anew",
                    blast=blast,
                    declared=declared,
                )
            )
        elif number % 2:
            entries = [PropertyChange("metadata.labels.version", "1", "2")]
            found.append(change(Op.UPDATE, "kubernetes:core/v1:ConfigMap", f"{region}-map-{number}", entries))
        else:
            found.append(create("kubernetes:core/v1:ServiceAccount", f"{region}-account-{number}", inputs))
    found.sort(key=lambda entry: (entry.risk.rank, entry.urn))
    findings = [
        Finding(
            "policy/replicas",
            Status.FAIL if number < changes // 10 else Status.PASS,
            f"app-{number} is exposed and has 1 replica",
            urn=urn("kubernetes:apps/v1:Deployment", f"app-{number}"),
            place=Place("stacks/Pulumi.huge.yaml", 10 + number),
        )
        for number in range(changes)
    ]
    return Examination(
        stack="huge",
        verb="gate",
        verdict=Verdict(ExitCode.POLICY, "500 findings against the change: policy/replicas."),
        changes=ChangeSet(Against.STATE, tuple(found), ()),
        layers=(
            Layer(
                "dns",
                "DNS answers",
                tuple(Row(f"app-{n}.example.test", "10.0.0.1", "10.0.0.2") for n in range(500)),
            ),
        ),
        rules=(Rule("policy/replicas", "What is exposed has two replicas"),),
        findings=tuple(findings),
        producer=VERSIONS,
        topology=wide_topology(clusters),
    )


def wide_topology(clusters: int) -> Topology:
    """Many regions, of which some change, one comes and one goes."""
    parts: list[Part] = []
    links: list[Link] = []
    for number in range(clusters):
        region = f"r{number:02}"
        op = {7: Op.CREATE, 23: Op.DELETE}.get(number, Op.SAME)
        risk = Risk.DESTRUCTIVE if op is Op.DELETE else Risk.ORDINARY
        cluster = f"cluster:{region}"
        parts.append(Part(f"region:{region}", "region", region, "", op, risk))
        parts.append(Part(cluster, "cluster", f"cluster {region}", f"region:{region}", op, risk))
        parts += [
            Part(f"host:{region}-edge-{n}", "edge", f"{region}-edge-{n}", f"region:{region}", op)
            for n in (1, 2)
        ]
        parts.append(Part(f"gateway:{region}", "gateway", "crossmesh-gateway", cluster, op))
        for entry in range(10):
            changed = Op.UPDATE if number % 9 == 4 and entry < 3 else op
            parts.append(
                Part(f"service:{region}/{entry}", "service", f"application-{entry}", cluster, changed)
            )
            links.append(Link(f"gateway:{region}", f"service:{region}/{entry}", "route", "", changed))
        parts += [
            Part(f"host:{region}-node-{n}", "node", f"{region}-node-{n}", cluster, op) for n in range(12)
        ]
        for other in range(number):
            both = {number, other}
            trust = Op.CREATE if 7 in both else Op.DELETE if 23 in both else Op.SAME
            links.append(Link(f"cluster:r{other:02}", cluster, "mesh", "", trust))
    return Topology(tuple(parts), tuple(links))
