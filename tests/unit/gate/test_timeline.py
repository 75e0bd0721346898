from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import picture
from gate.timeline import phases, read_events, spans

PLATFORM = "urn:pulumi:lab::crossmesh::crossmesh:components:Platform"


def event(at: int, kind: str, urn: str, op: str = "create", **inputs: Any) -> dict[str, Any]:
    metadata = {"op": op, "urn": urn, "type": urn.split("::")[2].split("$")[-1], "new": {"inputs": inputs}}
    return {"timestamp": 1000 + at, kind: {"metadata": metadata}}


HOST = f"{PLATFORM}$crossmesh:hosts:HostPhase::eu-cp-1.prepare"
ISTIOD = f"{PLATFORM}$crossmesh:components:IstioControlPlane$kubernetes:apps/v1:Deployment::eu.istiod"
EVENTS = [
    {"timestamp": 1000, "preludeEvent": {}},
    event(1, "resourcePreEvent", PLATFORM + "::lab"),
    event(1, "resourcePreEvent", HOST, phase="prepare"),
    event(2, "resourcePreEvent", ISTIOD),
    event(9, "resOutputsEvent", HOST, phase="prepare"),
    event(12, "resOutputsEvent", ISTIOD),
    event(12, "resOutputsEvent", PLATFORM + "::lab"),
]


def test_phases_are_told_apart_and_timed_from_first_start_to_last_end() -> None:
    found = phases(spans(EVENTS))
    assert [(phase.name, phase.start, phase.end, phase.resources) for phase in found] == [
        ("hosts: prepare", 1, 9, 1),
        ("mesh", 2, 12, 1),
    ]


def test_certificates_that_a_component_makes_do_not_stretch_its_phase() -> None:
    authority = f"{PLATFORM}$crossmesh:components:IstioMesh$crossmesh:tls:CertificateAuthority::root"
    made = [event(0, "resourcePreEvent", authority), event(0, "resOutputsEvent", authority)]
    assert phases(spans([*made, *EVENTS]))[0].name == "certificates and providers"
    assert [phase.start for phase in phases(spans([*made, *EVENTS])) if phase.name == "mesh"] == [2]


def test_what_had_not_ended_when_the_log_did_is_open() -> None:
    going = [span for span in spans(EVENTS[:5]) if span.end is None]
    assert {span.phase for span in going} >= {"mesh"}
    assert not any(span.urn == HOST for span in going)


def test_resources_that_stay_the_same_take_no_time() -> None:
    assert spans([event(1, "resourcePreEvent", ISTIOD, op="same")]) == []


def test_a_log_that_was_cut_by_a_kill_is_read_up_to_the_cut(tmp_path: Path) -> None:
    log = tmp_path / "events"
    log.write_text("\n".join(json.dumps(entry) for entry in EVENTS)[:-20])
    assert len(read_events(log)) == len(EVENTS) - 1


def test_the_picture_is_drawn_and_the_same_twice(tmp_path: Path) -> None:
    steps = [
        {"name": "lab start", "start": 0.0, "seconds": 20.0},
        {
            "name": "pulumi up",
            "start": 20.0,
            "seconds": 150.0,
            "phases": [{"name": "mesh", "start": 90.0, "end": 140.0, "resources": 80, "sum_seconds": 300.0}],
        },
    ]
    result = {"steps": steps, "firstAnswerSeconds": 171.0, "secondUpSeconds": 12.0}
    for name in ("a.svg", "a.png"):
        picture.draw(result, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    text = (tmp_path / "a.svg").read_text()
    picture.draw(result, tmp_path / "b.svg")
    strip = [line for line in text.splitlines() if "id=" not in line and "#" not in line]
    again = (tmp_path / "b.svg").read_text().splitlines()
    assert strip == [line for line in again if "id=" not in line and "#" not in line]
