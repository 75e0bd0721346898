"""Secrets that turn up where none is expected."""

from __future__ import annotations

import base64
from typing import Any

from live.drift.mask import Mask
from live.drift.model import Drifted
from report.model import SECRET, Op, PropertyChange, Resource
from tests.unit.live.drift.support import record

KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----\n"
KUBECONFIG = (
    "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://eu.example.test:6443\n"
    "users:\n- user:\n    token: eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ\n"
)


def test_secrets_and_what_they_are_encoded_to_are_masked() -> None:
    mask = Mask(["hunter2", {"key": [KEY]}])
    assert mask(f"a hunter2 b {base64.b64encode(b'hunter2').decode()}") == f"a {SECRET} b {SECRET}"
    assert mask({"x": ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49"]}) == {"x": [SECRET]}
    assert mask(7) == 7


def test_ordinary_words_of_a_kubeconfig_stay() -> None:
    mask = Mask([KUBECONFIG])
    text = "kind: ConfigMap of https://eu.example.test:6443, clusters: apiVersion: v1"
    assert mask(text) == text
    assert mask("token eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ") == f"token {SECRET}"


def test_nothing_that_a_layer_found_has_a_secret_in_it() -> None:
    found = record("clusters")
    found.row("eu", "x", "hunter2")
    found.fail("data is hunter2", fix="take hunter2 out")
    inputs: dict[str, Any] = {"data": {"a": "hunter2"}}
    live = Resource("urn", "t", "n", inputs)
    found.drifted.append(Drifted("urn", Op.UPDATE, (PropertyChange("data.a", "x", "hunter2"),), live))
    seen = Mask(["hunter2"]).seen(found.seen())
    assert "hunter2" not in repr((seen, seen.drifted[0].live and seen.drifted[0].live.inputs))
    assert seen.drifted[0].properties == (PropertyChange("data.a", "x", SECRET),)
