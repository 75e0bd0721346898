"""Builders for the tests of sealed plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from gate.seal.bound import Bound, BoundKind, StateDigest
from gate.seal.sealed import SealedChange, SealedPlan
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.model import Against, Change, ChangeSet, Op, Place, Resource, Waiver

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
HASH = "a" * 64
MARK = "4dabf18193072939515e22adb298388d"
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def urn(name: str, type: str = CONFIG_MAP) -> str:
    """URN of a resource of stack `lab`."""
    return f"urn:pulumi:lab::crossmesh::{type}::{name}"


def secret(ciphertext: str = "v1:n:c") -> dict[str, str]:
    """A secret as the engine writes it."""
    return {MARK: SECRET_MARK, "ciphertext": ciphertext}


def bound(**facts: dict[str, str]) -> Bound:
    """What a plan is bound to, with some kinds of facts given."""
    made: dict[BoundKind, dict[str, str]] = {
        BoundKind.COMMIT: {"HEAD": "c" * 40},
        BoundKind.CONFIGURATION: {"stacks/Pulumi.lab.yaml": HASH},
        BoundKind.INVENTORY: {"host eu-cp-1, phase prepare": HASH},
        BoundKind.ROLES: {"phase prepare": HASH},
        BoundKind.POLICIES: {"policies/waivers.yaml": HASH},
        BoundKind.CHARTS: {"istio-charts content": HASH, "istio-charts version": "1.28.3"},
        BoundKind.TOOLCHAIN: {"helm": "3.18.6", "requirements.lock": HASH},
        BoundKind.PROGRAM: {"__main__.py": HASH, "components/platform.py": HASH},
    }
    made |= {BoundKind(kind): value for kind, value in facts.items()}
    return Bound(
        made, StateDigest("s" * 64, {urn("a"): "1" * 16, urn("b"): "2" * 16}, "2026-11-24T20:00:00Z")
    )


def plan_of(**steps: tuple[str, ...]) -> dict[str, Any]:
    """The engine's plan: name of each config map → its steps, in a cluster that is there."""
    provider = urn("eu.kubernetes", "pulumi:providers:kubernetes")
    return {
        "manifest": {"time": "2026-11-24T20:00:00Z", "magic": "m", "version": "v3.250.0"},
        "resourcePlans": {
            provider: {"goal": {"type": "pulumi:providers:kubernetes", "custom": True}, "steps": ["same"]},
            **{urn(name): _resource_plan(ops, provider) for name, ops in steps.items()},
        },
    }


def _resource_plan(ops: tuple[str, ...], provider: str) -> dict[str, Any]:
    goal = {
        "type": CONFIG_MAP,
        "custom": True,
        "provider": f"{provider}::id",
        "inputDiff": {"adds": {"data": {"v": "1"}}},
        "propertyDependencies": {"data": []},
    }
    return {"goal": None if ops == ("delete",) else goal, "steps": list(ops), "seed": "c2VlZA=="}


def waiver(expires: date) -> Waiver:
    """A waiver of the project's file."""
    place = Place("policies/waivers.yaml", 3)
    return Waiver("policy/two-replicas", "web", "platform-team", "a second one comes later", expires, place)


def sealed_plan(**given: Any) -> SealedPlan:
    """A plan that creates `a`."""
    made = SealedPlan(
        stack="lab",
        bound=bound(),
        changes=(SealedChange(urn("a"), Op.CREATE, HASH),),
        plan=plan_of(a=("create",)),
        waivers=(waiver(date(2027, 1, 31)),),
        packs=("our-pack",),
    )
    return replace(made, **given)


def change(name: str, op: Op, inputs: dict[str, Any] | None = None, type: str = CONFIG_MAP) -> Change:
    """A change of the gate's."""
    found = Resource(urn(name, type), type, name, inputs or {"data": {"v": "1"}})
    return Change(op, found.urn, None if op is Op.CREATE else found, None if op is Op.DELETE else found)


def examination(*changes: Change, **given: Any) -> Examination:
    """A clean result of a gate against the state."""
    made = Examination(
        stack="lab",
        verb="gate",
        verdict=Verdict(ExitCode.CLEAN, "Nothing stands against the change."),
        changes=ChangeSet(Against.STATE, changes, ()),
        layers=(),
        rules=(),
        findings=(),
        producer=Producer("0.1.0", "3.250.0", "c" * 40, False),
    )
    return replace(made, **given)
