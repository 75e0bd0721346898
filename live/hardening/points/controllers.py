"""Sections 1.3 and 1.4: flags of controller manager and scheduler."""

from __future__ import annotations

from live.hardening import judges
from live.hardening.facts import Arguments, HostFacts
from live.hardening.judges import CONTROLLER_MANAGER, SCHEDULER, OfFlags, flags, told
from live.hardening.mends import in_manifest
from live.hardening.model import Decider, Point, Scope, State, Verdict, either

_GATE = "RotateKubeletServerCertificate=false"
FLAGS = (
    "bind-address",
    "feature-gates",
    "profiling",
    "root-ca-file",
    "service-account-private-key-file",
    "terminated-pod-gc-threshold",
    "use-service-account-credentials",
)
"""Flags that these sections look at."""


def _point(
    number: str,
    title: str,
    wanted: str,
    of_flags: OfFlags,
    *,
    program: str = CONTROLLER_MANAGER,
    default: State = State.HOLDS,
    today: str = "kubeadm sets it so",
    decided_by: Decider = Decider.KUBEADM,
) -> Point[HostFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CONTROL_PLANE,
        wanted=wanted,
        decided_by=decided_by,
        judge=flags(program, of_flags),
        fix=in_manifest(program, wanted),
        default=default,
        today=today,
    )


def _gates(arguments: Arguments) -> Verdict:
    return either(_GATE not in arguments.items("feature-gates"), told(arguments, "feature-gates"))


_LOOPBACK = "127.0.0.1"
_BIND = judges.is_value("bind-address", _LOOPBACK, "0.0.0.0")
_PROFILING = judges.is_value("profiling", "false", "true")
_BY_ROLE = "the role `control_plane` sets it"

POINTS: tuple[Point[HostFacts], ...] = (
    _point(
        "1.3.1",
        "Pods that have ended are cleared away before they are many",
        "--terminated-pod-gc-threshold=1 or more",
        judges.at_least("terminated-pod-gc-threshold", 1, "12500"),
        today=f"{_BY_ROLE}: 1000 of them are kept",
        decided_by=Decider.ROLE,
    ),
    _point(
        "1.3.2",
        "The controller manager offers no profile of itself",
        "--profiling=false",
        _PROFILING,
        today=_BY_ROLE,
        decided_by=Decider.ROLE,
    ),
    _point(
        "1.3.3",
        "Each controller has an account of its own",
        "--use-service-account-credentials=true",
        judges.is_value("use-service-account-credentials", "true", "false"),
    ),
    _point(
        "1.3.4",
        "Tokens of accounts are signed by a key of their own",
        "--service-account-private-key-file=…",
        judges.given("service-account-private-key-file"),
    ),
    _point(
        "1.3.5",
        "Pods are told the authority of their API server",
        "--root-ca-file=…",
        judges.given("root-ca-file"),
    ),
    _point(
        "1.3.6",
        "kubelets may renew what they serve by, by the controller manager",
        "--feature-gates without " + _GATE,
        _gates,
        today="the gate is on by default, and nobody switches it off",
        decided_by=Decider.KUBERNETES,
    ),
    _point("1.3.7", "The controller manager serves its own host only", "--bind-address=127.0.0.1", _BIND),
    _point(
        "1.4.1",
        "The scheduler offers no profile of itself",
        "--profiling=false",
        _PROFILING,
        program=SCHEDULER,
        today=_BY_ROLE,
        decided_by=Decider.ROLE,
    ),
    _point(
        "1.4.2",
        "The scheduler serves its own host only",
        "--bind-address=127.0.0.1",
        _BIND,
        program=SCHEDULER,
    ),
)
