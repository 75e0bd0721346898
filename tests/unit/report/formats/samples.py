"""Examinations of many kinds, and what they are made with."""

from __future__ import annotations

from dataclasses import replace

from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import (
    Against,
    Blast,
    ChangeSet,
    Finding,
    Layer,
    Notice,
    Op,
    Place,
    PropertyChange,
    Risk,
    Rule,
    Status,
)
from tests.unit.report.formats.builders import STACK_FILE, change, create, delete, urn
from tests.unit.report.formats.extremes import HOSTILE, hostile, huge, wide_topology
from tests.unit.report.formats.rich import rich, topology

__all__ = [
    "HOSTILE",
    "STACK_FILE",
    "change",
    "create",
    "delete",
    "drift",
    "empty",
    "failed",
    "hostile",
    "huge",
    "invalid",
    "rich",
    "topology",
    "unmeasured",
    "urn",
    "wide_topology",
]


def empty() -> Examination:
    """Nothing changes, and nothing is known of the platform."""
    return Examination(
        stack="staging",
        verb="gate",
        verdict=Verdict(ExitCode.CLEAN, "Nothing changes."),
        changes=ChangeSet(Against.STATE, (), ()),
        layers=(),
        rules=(),
        findings=(),
        producer=Producer("0.1.0", "3.272.0", "", False),
    )


def failed() -> Examination:
    """The engine could not preview."""
    message = "error: Running program failed\n  File \"components/region.py\", line 12\nKeyError: 'eu'"
    return replace(
        empty(),
        stack="production",
        verdict=Verdict(ExitCode.PREVIEW_FAILED, "The engine could not preview the change: KeyError: 'eu'"),
        changes=ChangeSet(Against.NOTHING, (), (), (Notice("error", message),)),
        rules=(Rule("engine/preview", "The engine can tell what the change does", "Mend what it names."),),
        findings=(Finding("engine/preview", Status.FAIL, message),),
    )


def invalid() -> Examination:
    """The stack file is no valid declaration: several problems, none of a resource."""
    found = tuple(
        Finding(
            "declaration/valid",
            Status.FAIL,
            f"regions.eu.cluster.nodes: got {number}; a node has an address",
            place=Place(STACK_FILE, number),
            fix="Give it one.",
        )
        for number in (12, 14)
    )
    return replace(
        empty(),
        stack="lab",
        verdict=Verdict(ExitCode.USAGE, f"{STACK_FILE} is no valid declaration: 2 problems."),
        changes=ChangeSet(Against.NOTHING, (), ()),
        rules=(Rule("declaration/valid", "The stack file is a valid declaration"),),
        findings=found,
    )


def drift() -> Examination:
    """Somebody scaled a deployment and deleted a namespace by hand."""
    changes = (
        delete(
            "kubernetes:core/v1:Namespace",
            "eu-greencompute",
            risk=Risk.DESTRUCTIVE,
            why="everything in it goes with it",
            blast=Blast(("eu",), (), (), 0.5),
            declared=Place(STACK_FILE, 97),
        ),
        change(
            Op.UPDATE,
            "kubernetes:apps/v1:Deployment",
            "eu-asset-mgr-ms-svc",
            [PropertyChange("spec.replicas", 2, 0)],
            risk=Risk.TRAFFIC,
            why="its pods start anew",
        ),
    )
    return replace(
        empty(),
        stack="lab",
        verb="drift",
        verdict=Verdict(ExitCode.UNEXPECTED_CHANGES, "2 changes where none was expected."),
        changes=ChangeSet(Against.STATE, changes, ()),
    )


def unmeasured() -> Examination:
    """Under --strict, with nothing wrong but what could not be seen."""
    return replace(
        empty(),
        verdict=Verdict(ExitCode.NOT_MEASURABLE, "1 thing could not be measured (--strict)."),
        layers=(Layer("hosts", "Hosts", (), ("eu-worker-1 did not answer",)),),
    )
