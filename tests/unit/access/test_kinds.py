"""Reading an API server: what its refusals mean, and that nothing of them is taken for an absence."""

from __future__ import annotations

from typing import Any

import pytest

from access import cluster as clusters
from access.errors import AccessError, CredentialsRefused, NotAllowed, Unanswered
from access.kinds import Gone, Kind, Lookup, objects
from tests.unit.live.drift.support import FakeCluster

DEFINITIONS = "apiextensions.k8s.io/v1"
CONFIG_MAPS = Kind("v1", "ConfigMap", "configmaps")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_AGAIN_SECONDS", 0.0)


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "message": message}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((401, status("Unauthorized")), CredentialsRefused, "does not accept .*: Unauthorized"),
        ((403, status("cannot list")), NotAllowed, "with 403: cannot list"),
        ((503, "down"), clusters.Busy, "with 503: down"),
        ((200, "<html>a login page</html>"), clusters.Busy, "with 200"),
    ],
)
def test_what_a_refusal_means(answer: Any, kind: type[AccessError], words: str) -> None:
    cluster = FakeCluster({"/api/v1": answer})
    with pytest.raises(kind, match=words) as raised:
        cluster.get("/api/v1")
    assert raised.value.fix


def test_a_server_that_is_being_restarted_is_asked_once_more() -> None:
    answers = iter([(503, "starting"), (200, {"kind": "APIResourceList"})])
    cluster = FakeCluster({"/api/v1": lambda path: next(answers)})
    assert cluster.get("/api/v1") == {"kind": "APIResourceList"}


def test_a_server_that_does_not_answer_is_not_waited_for_twice() -> None:
    cluster = FakeCluster({"/api/v1": Unanswered("no answer")})
    with pytest.raises(Unanswered):
        cluster.get("/api/v1")
    assert len(cluster.asked) == 1


def test_a_long_list_comes_in_pages() -> None:
    pages = {
        "": (200, {"items": [{"n": 1}], "metadata": {"continue": "a b"}}),
        "a%20b": (200, {"items": [{"n": 2}], "metadata": {}}),
    }
    cluster = FakeCluster({CONFIG_MAPS.path: lambda path: pages[path.partition("continue=")[2]]})
    assert list(objects(cluster, CONFIG_MAPS)) == [{"n": 1}, {"n": 2}]


def test_pages_that_no_longer_belong_together_are_read_as_one() -> None:
    def answer(path: str) -> tuple[int, Any]:
        if "continue=" in path:
            return 410, status("too old")
        more = {"metadata": {"continue": "next"}} if "limit=" in path else {}
        return 200, {"items": [{"n": 1}], **more}

    cluster = FakeCluster({CONFIG_MAPS.path: answer})
    assert list(objects(cluster, CONFIG_MAPS)) == [{"n": 1}, {"n": 1}]
    assert cluster.asked[-1] == CONFIG_MAPS.path


def test_a_list_that_is_not_found_is_no_empty_list() -> None:
    with pytest.raises(Unanswered):
        list(objects(FakeCluster(), CONFIG_MAPS))


def definition(group: str, kind: str) -> dict[str, Any]:
    return {"spec": {"group": group, "names": {"kind": kind}}}


def lookup(*definitions: dict[str, Any], groups: tuple[str, ...] = ()) -> Lookup:
    cluster = FakeCluster()
    cluster.serve("apps/v1", "Deployment", "deployments")
    cluster.serve(DEFINITIONS, "CustomResourceDefinition", "customresourcedefinitions", definitions)
    for group in groups:
        cluster.answers[f"/apis/{group}"] = (200, {"kind": "APIGroup"})
    return Lookup(cluster)


def test_a_kind_that_is_served_is_found_and_asked_for_once() -> None:
    found = lookup().kind("apps/v1", "Deployment")
    assert isinstance(found, Kind)
    assert found.path == "/apis/apps/v1/deployments"


def test_objects_are_gone_with_their_definition() -> None:
    found = lookup().kind("example.com/v1", "Widget")
    assert found == Gone("with the definition of Widget")
    other = lookup(definition("example.com", "Gadget"), groups=("example.com",))
    assert other.kind("example.com/v1", "Widget") == Gone("with the definition of Widget")


def test_a_definition_that_is_not_served_yet_says_nothing_of_its_objects() -> None:
    with pytest.raises(Unanswered, match="does not serve it"):
        lookup(definition("example.com", "Widget")).kind("example.com/v1", "Widget")


def test_a_version_that_is_no_longer_served_says_nothing_of_its_objects() -> None:
    with pytest.raises(Unanswered, match="under another version"):
        lookup(groups=("policy",)).kind("policy/v1beta1", "PodDisruptionBudget")


def test_without_the_right_to_read_definitions_nothing_counts_as_gone() -> None:
    cluster = FakeCluster()
    cluster.serve(DEFINITIONS, "CustomResourceDefinition", "customresourcedefinitions")
    cluster.answers[f"/apis/{DEFINITIONS}/customresourcedefinitions"] = (403, status("cannot list"))
    with pytest.raises(NotAllowed):
        Lookup(cluster).kind("example.com/v1", "Widget")
