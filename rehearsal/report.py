"""What a rehearsal says, for every format that reports have. Its durations are measured: no two are alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.drive import Course
from rehearsal.twin import differs_always
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many, one_line
from report.model import Against, ChangeSet, Finding, Layer, Row, Rule, Severity, Status

GATE = Rule(
    "rehearsal/gate",
    "The gate lets the change pass",
    "What the gate says against the change on the twin, it says of the environment too: `crossmesh gate`.",
)
CHANGE = Rule(
    "rehearsal/change",
    "The change comes to its end",
    "What stopped it on the twin is likely to stop it on the environment. Mend it, and rehearse again.",
)
REQUESTS = Rule(
    "rehearsal/requests",
    "Clients notice nothing",
    "Requests that failed on the twin are those of users on the environment. Replicas of applications and of "
    "gateways, and a slower course, keep them answered.",
)
DOCTOR = Rule(
    "rehearsal/doctor",
    "All is well afterwards",
    "The doctor looked at the twin before the change and after it.",
)
REPEAT = Rule(
    "rehearsal/repeat",
    "A second run changes nothing",
    "A change that is never done comes back with every run.",
)
TWIN = Rule(
    "rehearsal/twin",
    "The twin was well before the change",
    "What is not well before a change, the change is not to blame for: see what the doctor says of it.",
    Severity.WARNING,
)
RULES = (GATE, CHANGE, REQUESTS, DOCTOR, REPEAT, TWIN)
_FIX_REQUESTS = (
    "give applications and gateways a second replica on another node; or accept it, by --allow-failed"
)


def examination(stack: str, course: Course, allowed: int, producer: Producer) -> Examination:
    """The answer. allowed: failed requests that are accepted."""
    findings = tuple(sorted(_findings(course, allowed), key=Finding.order))
    failed = [finding for finding in findings if finding.stops]
    sent = sum(tally.sent for tally in course.during)
    lost = sum(tally.failed for tally in course.during)
    told = f"{lost:,} of {sent:,} requests failed in {course.seconds:.0f} s"
    if failed:
        first = one_line(failed[0].message, 200).rstrip(".")
        words = f"{first}. {many(len(failed), 'finding')} against it; {told}."
        verdict = Verdict(ExitCode.POLICY, words)
    else:
        verdict = Verdict(ExitCode.CLEAN, f"It went well on the twin: {told}.")
    return Examination(
        stack=stack,
        verb="rehearse",
        verdict=verdict,
        changes=ChangeSet(Against.TWIN, (), ()),
        layers=tuple(_layers(course)),
        rules=RULES,
        findings=findings,
        producer=producer,
    )


def _findings(course: Course, allowed: int) -> Iterator[Finding]:
    yield from _of_gate(course)
    if course.was_made:
        yield _of(CHANGE, course.failure)
    lost = sum(tally.failed for tally in course.during)
    worst = [f"{tally.url}: {tally}" for tally in course.during if tally.failed]
    unasked = "" if sum(tally.sent for tally in course.during) else "no request was sent: nothing is exposed"
    too_many = f"{many(lost, 'request')} failed, {allowed} are accepted" if lost > allowed else ""
    yield _of(REQUESTS, unasked or too_many, _FIX_REQUESTS if too_many else "", tuple(worst))
    yield _of(DOCTOR, *_ill(course.doctor_after))
    yield _of(TWIN, *_ill(course.doctor_before))
    if course.repeated is not None:
        words = "" if course.repeated.succeeded else f"it failed: {course.repeated.words}"
        again = f"it made {many(course.repeated.changes, 'change')}" if course.repeated.changes else ""
        yield _of(REPEAT, words or again)


def _of(rule: Rule, message: str, fix: str = "", details: tuple[str, ...] = ()) -> Finding:
    status = Status.FAIL if message else Status.PASS
    return Finding(rule.id, status, message, rule.severity, fix=fix, details=details if message else ())


def _of_gate(course: Course) -> Iterator[Finding]:
    if not course.gate:
        return
    if course.was_made:
        yield _of(GATE, "")
        return
    against = [
        one for one in course.gate["findings"] if one["status"] == "fail" and one["severity"] == "error"
    ]
    details = tuple(f"{one['rule']}: {one['message']}" for one in against)
    fix = next((one["fix"] for one in against if one["fix"]), "")
    yield _of(GATE, f"it was not made: {course.gate['verdict']['words']}", fix, details)


def _ill(doctor: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Message, fix and details of what the doctor found; no message where all is well."""
    if doctor["exitCode"] == 0:
        return "", "", ()
    causes = tuple(f"{cause['rule']}: {cause['message']}" for cause in doctor["causes"])
    fix = next((cause["fix"] for cause in doctor["causes"] if cause["fix"]), "")
    return str(doctor["verdict"]["words"]), fix, causes


def _layers(course: Course) -> Iterator[Layer]:
    steps = [Row(step.name, None, f"{step.seconds:.1f} s") for step in course.steps]
    rows = [Row("the twin is brought up", f"{course.bring_up_seconds:.0f} s", None), *steps]
    whole = Row(f"the whole change ({course.order.change})", None, f"{course.seconds:.1f} s")
    yield Layer("rehearsal-steps", "Steps and their durations", (*rows, whole))
    before = {tally.url: str(tally) for tally in course.before}
    clients = tuple(Row(tally.url, before.get(tally.url), str(tally)) for tally in course.during)
    yield Layer("rehearsal-clients", "Clients, before the change and during it", clients)
    yield Layer("rehearsal-doctor", "The doctor, before and after", tuple(_checks(course)))
    different = (*course.differences, *differs_always())
    yield Layer("rehearsal-twin", "Not as on the environment", (), different)


def _checks(course: Course) -> Iterator[Row]:
    found = [
        {one["rule"]: one["status"] for one in doctor["findings"]}
        for doctor in (course.doctor_before, course.doctor_after)
    ]
    for rule in sorted({*found[0], *found[1]}):
        yield Row(rule, *(side.get(rule) for side in found))
