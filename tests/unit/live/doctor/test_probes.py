from __future__ import annotations

from live.doctor.probes import job


def test_probe_jobs_end_and_vanish_by_themselves() -> None:
    for role in ("outside", "inside"):
        spec = job(role, "abc")["spec"]
        assert 0 < spec["activeDeadlineSeconds"] <= 600
        assert 0 < spec["ttlSecondsAfterFinished"] <= 600
        assert spec["backoffLimit"] == 0


def test_only_the_probe_inside_the_mesh_asks_for_a_sidecar() -> None:
    def label(role: str) -> str:
        return str(job(role, "abc")["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"])

    assert (label("outside"), label("inside")) == ("false", "true")
