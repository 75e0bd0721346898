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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import toolchain
from gate.rules.schema.objects import Object, hidden, objects
from gate.rules.subject import Subject, failed, not_measurable, part, passed
from report.model import UNKNOWN, Finding, Rule, Severity
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

_Question = tuple[str, str]
"""What is analysed together: the objects of one cluster as text, and its mesh's settings. Clusters with equal
content share the answer.
"""


@dataclass(frozen=True)
class _Message:
    rule: Rule
    words: str
    index: int | None
    """Which of the objects it is about; None where istioctl names none."""


_Answer = tuple[list[_Message], str]
"""Messages, and why there are none or not all; empty where nothing went wrong."""


def examine(subject: Subject) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """The rules for what was found, and the findings in each cluster."""
    clusters = {name: found for name, found in sorted(_clusters(subject).items()) if found[0]}
    questions = {name: (_text(entries), mesh) for name, (entries, mesh) in clusters.items()}
    try:
        answers = _ask(sorted(set(questions.values())))
    except ToolchainError as error:
        return (RULE,), (not_measurable(RULE, str(error)),)
    rules: dict[str, Rule] = {RULE.id: RULE}
    findings: list[Finding] = []
    for name, (entries, _) in clusters.items():
        messages, why_not = answers[questions[name]]
        if why_not:
            findings.append(not_measurable(RULE, why_not, entries[0].resource.urn))
        unknown = [any(mark == UNKNOWN for _, mark in hidden(entry.content)) for entry in entries]
        why = "some of its values are not known before `up`"
        findings += [not_measurable(RULE, why, entry.resource.urn) for entry in compress(entries, unknown)]
        for message in messages:
            rule, index = message.rule, message.index
            rules.setdefault(rule.id, rule)
            about = index if index is not None and index < len(entries) else None
            urn = "" if about is None else entries[about].resource.urn
            if about is not None and unknown[about]:
                words = f"may be mended by what is not known before `up`: {message.words}"
                findings.append(not_measurable(rule, words, urn))
            else:
                findings.append(failed(rule, message.words, urn, fix=rule.help))
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


def _text(found: Sequence[Object]) -> str:
    return "".join(f"---\n{json.dumps(entry.content, sort_keys=True)}\n" for entry in found)


def _ask(questions: Sequence[_Question]) -> dict[_Question, _Answer]:
    """Analyse each set of objects. Raises `ToolchainError` where istioctl is not installed."""
    if not questions:
        return {}
    program = toolchain.program("istioctl")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda question: _analyse(program, *question), questions)
        return dict(zip(questions, answers, strict=True))


def _analyse(program: Path, objects: str, mesh: str) -> _Answer:
    with tempfile.TemporaryDirectory(prefix="crossmesh-istioctl-") as name:
        directory = Path(name)
        (directory / "objects.yaml").write_text(objects)
        command = [str(program), "analyze", "--use-kube=false", "--all-namespaces", "--output", "json"]
        if mesh:
            (directory / "mesh.yaml").write_text(mesh)
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
            return [], f"istioctl did not end within {_TIMEOUT:.0f} s"
        except OSError as error:
            return [], f"istioctl could not be run: {error.strerror}"
    return _answer(done.returncode, done.stdout, done.stderr)


def _answer(code: int, output: str, errors: str) -> _Answer:
    """Read what istioctl wrote."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    words = lines[-1] if lines else "it wrote nothing"
    if code not in (0, _ISSUES_FOUND):
        return [], f"istioctl ended with exit code {code}: {words}"
    try:
        messages = [_message(entry) for entry in json.loads(output)]
    except (ValueError, KeyError, TypeError):
        return [], f"istioctl's answer cannot be read: {words}"
    unread = [line.strip("* \t") for line in lines if "error processing" in line and "*" in line]
    return messages, f"istioctl could not read {len(unread)} objects: {unread[0]}" if unread else ""


def _message(entry: Mapping[str, Any]) -> _Message:
    line = _REFERENCE.search(str(entry.get("reference") or ""))
    code, severity = str(entry["code"]), _SEVERITIES.get(str(entry["level"]), Severity.ERROR)
    page = f"see istio.io/latest/docs/reference/config/analysis/{code.lower()}"
    return _Message(
        Rule(f"istio/{code}", f"istioctl's {code}", page, severity),
        f"{entry['message']} ({entry.get('origin') or 'the mesh'})",
        (int(line.group(1)) + 1) // _LINES_EACH - 1 if line else None,
    )
