"""Reading the state: secrets sealed, refusals with their codes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from access import engine
from access.programs import Executed
from live.state import Sealed, opened, parse_state, read_state, shown
from report.errors import AuthenticationError, PreviewError, StackNotFoundError
from report.model import SECRET
from tests.unit.live.drift.support import kubernetes_object, resource, secret, state_of

SECRET_MANIFEST = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "n"},
    "stringData": secret({"key": "hunter2"}),
}


def test_secrets_can_be_compared_and_not_be_seen() -> None:
    state = state_of([kubernetes_object("eu", SECRET_MANIFEST)])
    (found,) = state.of_type("kubernetes:core/v1:Secret")
    assert found.inputs["stringData"] == Sealed({"key": "hunter2"})
    assert opened(found.inputs)["stringData"] == {"key": "hunter2"}
    assert shown(found.inputs)["stringData"] == SECRET
    assert "hunter2" not in repr(found)
    assert "hunter2" not in repr(found.inputs)
    assert "hunter2" not in repr(found.resource().inputs)
    assert list(state.secrets()) == [{"key": "hunter2"}]


def test_what_a_secret_object_holds_is_secret_also_where_it_is_not_marked() -> None:
    encoded = base64.b64encode(b"correct horse").decode()
    manifest = {
        **SECRET_MANIFEST,
        "stringData": {"key": "hunter2"},
        "data": {"other": encoded, "marked": secret("bm90IHRleHQ="), "binary": "/w==", "odd": "a"},
    }
    recorded = {**SECRET_MANIFEST, "stringData": None, "data": {"key": "aHVudGVyMg==", "other": encoded}}
    state = state_of([kubernetes_object("eu", manifest, recorded)])
    (found,) = state.of_type("kubernetes:core/v1:Secret")
    given = found.resource().inputs
    assert given["stringData"] == {"key": SECRET}
    assert given["data"] == dict.fromkeys(("other", "marked", "binary", "odd"), SECRET)
    assert given["metadata"] == manifest["metadata"]
    assert opened(found.inputs)["data"]["other"] == encoded
    assert not {"hunter2", encoded, "aHVudGVyMg=="} & set(repr((found.inputs, found.outputs)).split("'"))
    assert {"hunter2", encoded, "correct horse", "not text"} <= set(state.secrets())


def test_what_other_objects_hold_is_not_secret() -> None:
    manifest = {**SECRET_MANIFEST, "kind": "ConfigMap", "stringData": None, "data": {"key": "plain text"}}
    state = state_of([kubernetes_object("eu", manifest)])
    (found,) = state.of_type("kubernetes:core/v1:ConfigMap")
    assert found.resource().inputs["data"] == {"key": "plain text"}
    assert list(state.secrets()) == []


def test_a_secret_inside_of_a_secret_is_one() -> None:
    state = state_of([resource("t", "a", {"x": secret({"y": secret("z")})})])
    assert state.of_type("t")[0].inputs == {"x": Sealed({"y": "z"})}


def test_an_object_is_in_the_region_of_what_holds_it() -> None:
    state = state_of([kubernetes_object("eu-west", SECRET_MANIFEST), resource("t", "a")])
    assert {found.type: found.region for found in state.resources} == {
        "crossmesh:components:Region": "eu-west",
        "kubernetes:core/v1:Secret": "eu-west",
        "pulumi:pulumi:Stack": "",
        "t": "",
    }


def test_what_waits_for_its_deletion_is_no_part_of_it() -> None:
    entries = [resource("t", "a", {"v": 2}), resource("t", "a", {"v": 1}, delete=True)]
    assert [found.inputs for found in state_of(entries).of_type("t")] == [{"v": 2}]


def test_a_stack_that_was_never_brought_up_has_no_resources() -> None:
    assert state_of([]).outputs == {}
    assert state_of([]).of_type("t") == ()
    assert state_of([]).is_empty
    assert parse_state("lab", {"deployment": None}).is_empty


def test_a_state_in_which_anything_was_made_is_not_empty() -> None:
    assert not state_of([resource("t", "a")]).is_empty


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("error: incorrect passphrase", AuthenticationError),
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE", AuthenticationError),
        ("error: no stack named 'lab' found", StackNotFoundError),
        ("error: could not deserialize deployment: unexpected end", PreviewError),
    ],
)
def test_why_a_state_cannot_be_read_has_its_exit_code(
    words: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_command", lambda arguments, _: ["pulumi", *arguments])
    monkeypatch.setattr(engine.programs, "run", lambda *_, **__: Executed(255, "", words))
    with pytest.raises(kind, match="lab"):
        read_state("lab")


@pytest.mark.parametrize("text", ["{", '{"deployment": {"resources": [{"type": "t"}]}}', "[]"])
def test_a_state_of_another_form_is_refused_without_quoting_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "pulumi", lambda *_, **__: Executed(0, text, ""))
    with pytest.raises(PreviewError, match="not of the form"):
        read_state("lab")


def test_secrets_are_asked_for_on_standard_output_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []

    def pulumi(*arguments: str, **_: Any) -> Executed:
        called.append(arguments)
        return Executed(0, json.dumps({"deployment": {}}), "")

    monkeypatch.setattr(engine, "pulumi", pulumi)
    read_state("lab")
    assert called == [("stack", "export", "--show-secrets", "--stack", "lab")]
