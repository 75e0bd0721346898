from __future__ import annotations

import json
from typing import Any

import pytest

from access.cluster import Cluster
from access.errors import NotAllowed, Unanswered
from access.webhooks import CONFIGURATIONS, remedy
from tests.unit.access.test_cluster import kubeconfig
from tests.unit.operations.support import issue

SILENT = (
    'Internal error occurred: failed calling webhook "all.example.test": failed to call webhook: Post '
    '"https://nobody.nowhere.svc:443/": service "nobody" not found'
)
DENIED = 'admission webhook "all.example.test" denied the request: not on Mondays'


def listed(name: str) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "everything"}, "webhooks": [{"name": name}]}]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One that refuses whatever is written, by what the test put in `said`."""
    found = Cluster("eu", kubeconfig(1, issue("admin")))

    def answer(method: str, path: str, *_: object) -> tuple[int, str]:
        if method != "GET":
            return said["status"], json.dumps({"kind": "Status", "message": said["words"]})
        validating = path == CONFIGURATIONS["ValidatingWebhookConfiguration"]
        return 200, json.dumps(listed("all.example.test") if validating else {"items": []})

    said: dict[str, Any] = {}
    found.said = said  # type: ignore[attr-defined]
    monkeypatch.setattr(found, "answer", answer)
    return found


def test_a_webhook_that_does_not_answer_is_named_with_what_brings_it_and_may_pass(cluster: Cluster) -> None:
    cluster.said |= {"status": 500, "words": SILENT}  # type: ignore[attr-defined]
    with pytest.raises(Unanswered, match=r'failed calling webhook "all\.example\.test"') as refused:
        cluster.post("/api/v1/namespaces", {})
    assert "all.example.test does not answer" in refused.value.fix
    assert "delete ValidatingWebhookConfiguration everything" in refused.value.fix


def test_what_a_webhook_denies_is_no_lack_of_rights(cluster: Cluster) -> None:
    cluster.said |= {"status": 403, "words": DENIED}  # type: ignore[attr-defined]
    with pytest.raises(NotAllowed, match="not on Mondays") as refused:
        cluster.post("/api/v1/namespaces", {})
    assert "change ValidatingWebhookConfiguration everything" in refused.value.fix


def test_without_anybody_to_ask_the_command_is_given() -> None:
    assert "kubectl get validatingwebhookconfigurations" in remedy(SILENT)
    assert "grep -B40 'name: all.example.test'" in remedy(SILENT)


def test_words_as_a_log_quotes_them_are_understood() -> None:
    quoted = json.dumps(f'"Unable to register node" err="{SILENT}"')
    assert "the webhook all.example.test does not answer" in remedy(quoted)


def test_who_cannot_be_asked_for_the_configuration_leaves_the_command() -> None:
    assert "kubectl get" in remedy(SILENT, lambda path: (200, "no JSON"))
    assert "kubectl get" in remedy(SILENT, lambda path: (503, ""))


def test_other_refusals_have_no_webhook() -> None:
    assert remedy("namespaces is forbidden") == ""
