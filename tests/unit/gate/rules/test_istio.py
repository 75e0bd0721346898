"""istioctl's analysis: how it is asked, and what becomes of its answers. istioctl is a script here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import toolchain
from components.manifests import Manifest, mesh, named
from gate.rules import istio
from report.model import UNKNOWN, Finding, Rule, Severity, Status
from tests.unit.gate.rules.support import changes, creation, kubernetes, subject
from tests.unit.policies.support import changed, web

SCRIPT = """\
#!/bin/sh
echo run "$@" >> {log}
env | grep -E '^(HOME|KUBECONFIG)=' >> {log}
cat objects.yaml >> {log}
[ -f mesh.yaml ] && cat mesh.yaml >> {log}
cat <<'END'
{output}
END
printf '%s\\n' '{errors}' >&2
exit {code}
"""

Install = Callable[..., Path]


@pytest.fixture
def istioctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts an istioctl into the toolchain that answers as it is told; returns the log of its calls."""
    program, log = tmp_path / "istioctl", tmp_path / "log"

    def install(output: Any = (), *, errors: str = "", code: int = 0) -> Path:
        text = output if isinstance(output, str) else json.dumps(list(output))
        program.write_text(SCRIPT.format(log=log, output=text, errors=errors, code=code))
        program.chmod(0o755)
        return log

    monkeypatch.setattr(toolchain, "program", lambda name: program)
    monkeypatch.setenv("KUBECONFIG", "/of/the/user")
    return install


def message(line: int | None, code: str = "IST0101", level: str = "Error") -> dict[str, Any]:
    found = {
        "code": code,
        "level": level,
        "message": "Referenced gateway not found",
        "origin": "VirtualService a/b",
    }
    return found if line is None else {**found, "reference": f"objects.yaml:{line}"}


def rule(name: str = "r") -> Manifest:
    return named("networking.istio.io/v1", "DestinationRule", name, "shop", spec={"host": "web"})


def examine(
    *manifests: Manifest, clusters: tuple[str, ...] = ("eu",)
) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    resources = [kubernetes(manifest, cluster) for cluster in clusters for manifest in manifests]
    return istio.examine(subject(changes(*map(creation, resources))))


def messages(*manifests: Manifest, clusters: tuple[str, ...] = ("eu",)) -> list[Finding]:
    """What was found, where the analysis itself went well."""
    _, found = examine(*manifests, clusters=clusters)
    assert [each.status for each in found if each.rule == "istio/analyze"] == [Status.PASS]
    return [each for each in found if each.rule != "istio/analyze"]


def test_only_objects_of_the_mesh_are_handed_over_with_its_settings(istioctl: Install) -> None:
    log = istioctl()
    settings = named("v1", "ConfigMap", "istio", "istio-system", data={"mesh": "trustDomain: lab"})
    _, found = examine(*web(), rule(), mesh.peer_authentication("shop", "STRICT"), settings)
    assert [each.status for each in found] == [Status.PASS]
    text = log.read_text()
    assert (
        "analyze --use-kube=false --all-namespaces --output json --meshConfigFile mesh.yaml objects.yaml"
        in text
    )
    assert text.count("---\n") == 2
    assert "trustDomain: lab" in text
    assert "/of/the/user" not in text


def test_a_change_without_such_objects_needs_no_istioctl(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise toolchain.ToolchainError(f"{name} is not installed. Run `make toolchain`.")

    monkeypatch.setattr(toolchain, "program", missing)
    _, found = examine(*web())
    assert [each.status for each in found] == [Status.PASS]
    _, found = examine(*web(), rule())
    assert [(each.status, each.message) for each in found] == [
        (Status.NOT_MEASURABLE, "istioctl is not installed. Run `make toolchain`.")
    ]


def test_clusters_with_equal_objects_are_analysed_once_and_told_apart(istioctl: Install) -> None:
    log = istioctl([message(2)])
    rules, found = examine(rule(), clusters=("eu", "us"))
    assert log.read_text().count("run analyze") == 1
    assert [each.urn.rpartition("::")[2] for each in found] == ["eu.shop.r", "us.shop.r", ""]
    assert [found_rule.id for found_rule in rules] == ["istio/analyze", "istio/IST0101"]


@pytest.mark.parametrize(
    ("level", "severity"), [("Error", Severity.ERROR), ("Warning", Severity.WARNING), ("Info", Severity.NOTE)]
)
def test_a_message_is_a_finding_of_the_object_that_its_line_is(
    istioctl: Install, level: str, severity: Severity
) -> None:
    istioctl([message(4, level=level)])
    (found,) = messages(rule("a"), rule("b"))
    assert (found.rule, found.status, found.severity) == ("istio/IST0101", Status.FAIL, severity)
    assert found.urn.endswith("::eu.shop.b")
    assert "Referenced gateway not found" in found.message


def test_a_message_without_a_line_is_of_the_whole(istioctl: Install) -> None:
    istioctl([message(None)])
    (found,) = messages(rule())
    assert (found.status, found.urn) == (Status.FAIL, "")


def test_what_is_not_known_yet_may_mend_it(istioctl: Install) -> None:
    istioctl([message(2)])
    _, found = examine(changed(rule(), UNKNOWN, "spec", "host"))
    assert [each.status for each in found] == [Status.NOT_MEASURABLE] * 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"output": "", "code": 64, "errors": "Error: unknown flag"}, "exit code 64: Error: unknown flag"),
        ({"output": "no json"}, "cannot be read"),
        ({"output": "{}x"}, "cannot be read"),
        ({"output": '[{"code": 1}]'}, "cannot be read"),
        ({"errors": "\t* error processing objects.yaml[1]: illegal base64"}, "could not read 1 objects"),
    ],
)
def test_an_answer_that_is_none_is_not_measurable(
    istioctl: Install, answer: dict[str, Any], why: str
) -> None:
    istioctl(**answer)
    _, found = examine(rule())
    assert [each.status for each in found] == [Status.NOT_MEASURABLE]
    assert why in found[0].message


def test_79_says_that_there_are_messages(istioctl: Install) -> None:
    istioctl([message(2)], code=79)
    (found,) = messages(rule())
    assert found.status is Status.FAIL


def test_one_that_does_not_end_is_not_waited_for(istioctl: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    log = istioctl()
    program = log.with_name("istioctl")
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(istio, "_TIMEOUT", 0.2)
    _, (found,) = examine(rule())
    assert found.status is Status.NOT_MEASURABLE
    assert "did not end" in found.message


def test_one_that_cannot_be_run_is_said_to_be(istioctl: Install) -> None:
    log = istioctl()
    log.with_name("istioctl").chmod(0o644)
    _, (found,) = examine(rule())
    assert found.status is Status.NOT_MEASURABLE
