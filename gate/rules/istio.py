"""`istioctl analyze` over the objects of Istio and of the Gateway API that there will be, without a cluster.

Without one, istioctl leaves out what needs pods and services (`istioctl analyze -v` lists it). What is left
looks at each object's own rules and at what objects say of each other, in one cluster at a time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toolchain
from gate.rules.schema.objects import Object, hidden, objects
from gate.rules.subject import Subject, not_measurable, part, passed
from report.model import UNKNOWN, Finding, Rule, Severity, Status
from stacks.system_namespaces import ISTIO_SYSTEM
from toolchain import ToolchainError

RULE = Rule(
    "istio/analyze",
    "istioctl has analysed Istio's objects",
    "Without a cluster it finds objects that are not valid, or that name others that there are not. What it "
    "finds is told by rules of their own, istio/CODE, described at "
    "istio.io/latest/docs/reference/config/analysis.",
)

_GROUPS = re.compile(r"(^|\.)istio\.io$|^gateway\.networking\.k8s\.io$")
_MESH = (ISTIO_SYSTEM, "istio")
"""Namespace and name of the ConfigMap that holds the mesh's settings."""
_AT_ONCE = 2
_TIMEOUT = 60.0
_ISSUES_FOUND = 79
_SEVERITIES = {"Error": Severity.ERROR, "Warning": Severity.WARNING, "Info": Severity.NOTE}
_REFERENCE = re.compile(r":(\d+)$")
_LINES_EACH = 2
"""Lines that each object takes in the file: the mark between documents, and all of it."""


@dataclass(frozen=True)
class _Set:
    """What is analysed together: the objects of one cluster. Clusters with equal content share the answer."""

    text: str
    mesh: str


@dataclass(frozen=True)
class _Message:
    code: str
    severity: Severity
    words: str
    index: int | None
    """Which of the objects it is about; None where istioctl names none."""


@dataclass(frozen=True)
class _Answer:
    messages: tuple[_Message, ...] = ()
    why_not: str = ""


def examine(subject: Subject) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """The rules for what was found, and the findings in each cluster."""
    clusters = _clusters(subject)
    sets = {name: _set(found, mesh) for name, (found, mesh) in clusters.items() if found}
    distinct = sorted(set(sets.values()), key=lambda entry: (entry.text, entry.mesh))
    try:
        answers = _ask(distinct)
    except ToolchainError as error:
        return (RULE,), (not_measurable(RULE, str(error)),)
    rules: dict[str, Rule] = {RULE.id: RULE}
    findings: list[Finding] = []
    for name, asked in sorted(sets.items()):
        answer, found = answers[asked], clusters[name][0]
        if answer.why_not:
            findings.append(not_measurable(RULE, answer.why_not, found[0].resource.urn))
        findings += _unknown(found)
        for message in answer.messages:
            finding = _finding(message, found)
            rules.setdefault(finding.rule, _rule(message))
            findings.append(finding)
    if not any(finding.rule == RULE.id for finding in findings):
        findings.append(passed(RULE))
    return tuple(rules.values()), tuple(findings)


def _clusters(subject: Subject) -> dict[str, tuple[list[Object], str]]:
    """Objects to be analysed and the mesh's settings, by cluster."""
    found: dict[str, tuple[list[Object], str]] = {}
    for entry in objects(subject.after):
        known, mesh = found.get(entry.cluster, ([], ""))
        metadata = part(entry.resource, "metadata")
        if _GROUPS.search(entry.group):
            known.append(entry)
        elif entry.kind == "ConfigMap" and (metadata.get("namespace"), metadata.get("name")) == _MESH:
            mesh = str(part(entry.resource, "data").get("mesh") or "")
        found[entry.cluster] = (known, mesh)
    return found


def _set(found: Sequence[Object], mesh: str) -> _Set:
    return _Set("".join(f"---\n{json.dumps(entry.content, sort_keys=True)}\n" for entry in found), mesh)


def _ask(sets: Sequence[_Set]) -> dict[_Set, _Answer]:
    """Analyse each set. Raises `ToolchainError` where istioctl is not installed."""
    if not sets:
        return {}
    program = toolchain.program("istioctl")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(sets, pool.map(lambda entry: _analyse(program, entry), sets), strict=True))


def _analyse(program: Path, asked: _Set) -> _Answer:
    with tempfile.TemporaryDirectory(prefix="crossmesh-istioctl-") as name:
        directory = Path(name)
        (directory / "objects.yaml").write_text(asked.text)
        command = [str(program), "analyze", "--use-kube=false", "--all-namespaces", "--output", "json"]
        if asked.mesh:
            (directory / "mesh.yaml").write_text(asked.mesh)
            command += ["--meshConfigFile", "mesh.yaml"]
        # Nothing of the user's own clusters and settings may have a part in the answer.
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": name, "KUBECONFIG": f"{name}/none"}
        try:
            done = subprocess.run(
                [*command, "objects.yaml"],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _Answer(why_not=f"istioctl did not end within {_TIMEOUT:.0f} s")
        except OSError as error:
            return _Answer(why_not=f"istioctl could not be run: {error.strerror}")
    return _answer(done.returncode, done.stdout, done.stderr)


def _answer(code: int, output: str, errors: str) -> _Answer:
    """Read what istioctl wrote."""
    words = _last_line(errors)
    if code not in (0, _ISSUES_FOUND):
        return _Answer(why_not=f"istioctl ended with exit code {code}: {words}")
    try:
        found = json.loads(output)
        messages = tuple(_message(entry) for entry in found)
    except (ValueError, KeyError, TypeError):
        return _Answer(why_not=f"istioctl's answer cannot be read: {words}")
    unread = [line for line in errors.splitlines() if "error processing" in line and "*" in line]
    return _Answer(
        messages,
        f"istioctl could not read {len(unread)} objects: {unread[0].strip(' *	')}" if unread else "",
    )


def _message(entry: Mapping[str, Any]) -> _Message:
    line = _REFERENCE.search(str(entry.get("reference") or ""))
    words = f"{entry['message']} ({entry.get('origin') or 'the mesh'})"
    severity = _SEVERITIES.get(str(entry["level"]), Severity.ERROR)
    index = (int(line.group(1)) + 1) // _LINES_EACH - 1 if line else None
    return _Message(str(entry["code"]), severity, words, index)


def _finding(message: _Message, found: Sequence[Object]) -> Finding:
    about = found[message.index] if message.index is not None and message.index < len(found) else None
    urn = about.resource.urn if about is not None else ""
    id_ = _rule(message).id
    if about is not None and _unknown([about]):
        why = f"may be mended by what is not known before `up`: {message.words}"
        return Finding(id_, Status.NOT_MEASURABLE, why, message.severity, urn)
    return Finding(id_, Status.FAIL, message.words, message.severity, urn, fix=_help(message.code))


def _unknown(found: Sequence[Object]) -> list[Finding]:
    """Objects of which not all is known."""
    return [
        not_measurable(RULE, "some of its values are not known before `up`", entry.resource.urn)
        for entry in found
        if any(mark == UNKNOWN for _, mark in hidden(entry.content))
    ]


def _rule(message: _Message) -> Rule:
    return Rule(f"istio/{message.code}", f"istioctl's {message.code}", _help(message.code), message.severity)


def _help(code: str) -> str:
    return f"see istio.io/latest/docs/reference/config/analysis/{code.lower()}"


def _last_line(text: str) -> str:
    lines: Iterator[str] = (line.strip() for line in reversed(text.splitlines()) if line.strip())
    return next(lines, "it wrote nothing")
