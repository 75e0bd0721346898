"""What a cluster shows of certificates, and what it does not answer."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from access.errors import NotAllowed, Unanswered
from live.certificates import CACERTS, fingerprint
from live.expiry import clusters
from live.expiry.model import Entry, State
from tests.unit.live.expiry.support import CA
from tests.unit.operations.support import Issued, issue

ROOT = issue("mesh root", ca=True, days=3650)
MESH = issue("mesh of eu", ROOT, ca=True, days=1000)
GATEWAY = issue("app.test", issue("gateway CA", ca=True), days=80)
HOOK = issue("metallb CA", ca=True, days=3000)
SERVER = issue("kube-apiserver", CA, days=-1, age=366)


def encoded(*pairs: Issued) -> str:
    return base64.b64encode("".join(pair.pem for pair in pairs).encode()).decode()


def secret(name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    data = {"tls.crt": encoded(GATEWAY), "tls.key": base64.b64encode(GATEWAY.key_pem.encode()).decode()}
    return {"metadata": {"namespace": "ingress", "name": name, "annotations": annotations}, "data": data}


def hook(name: str, *bundles: str | None) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "webhooks": [{"clientConfig": {"caBundle": bundle}} for bundle in bundles],
    }


class Cluster:
    """An API server with a few objects."""

    region, server = "eu", "https://192.0.2.1:6443"

    def __init__(self) -> None:
        self.client_certificate: str | None = issue("admin", CA).pem
        conversion = {"webhook": {"clientConfig": {"caBundle": encoded(HOOK)}}}
        group = "/apis/admissionregistration.k8s.io/v1"
        self.objects: dict[str, Any] = {
            CACERTS: {
                "data": {"ca-cert.pem": encoded(MESH), "root-cert.pem": encoded(ROOT), "ca-key.pem": "…"}
            },
            clusters._AUTHORITIES: {
                "data": {"client-ca-file": CA.pem, "requestheader-client-ca-file": CA.pem}
            },
            clusters._TLS_SECRETS: {
                "items": [secret("app-tls"), secret("own", {"cert-manager.io/certificate-name": "own"})]
            },
            f"{group}/validatingwebhookconfigurations": {
                "items": [hook("istio", encoded(ROOT), encoded(ROOT), None)]
            },
            f"{group}/mutatingwebhookconfigurations": {"items": [hook("two", encoded(ROOT), encoded(CA))]},
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {
                "items": [{"metadata": {"name": "pools"}, "spec": {"conversion": conversion}}]
            },
            "/apis/apiregistration.k8s.io/v1/apiservices": {
                "items": [
                    {"metadata": {"name": "v1"}, "spec": {}},
                    {"metadata": {"name": "m"}, "spec": {"caBundle": "%"}},
                ]
            },
        }
        self.silent: Exception | None = None

    def served_certificate(self) -> bytes:
        if self.silent:
            raise self.silent
        return SERVER.certificate.public_bytes(Encoding.DER)

    def get(self, path: str) -> Any:
        found = self.objects[path.partition("?limit=")[0]]
        if isinstance(found, Exception):
            raise found
        return found


def look(
    cluster: Cluster, *, adopted: bool = False, issued: dict[str, str] | None = None
) -> dict[str, Entry]:
    found = clusters.look(cluster, issued or {}, adopted=adopted)  # type: ignore[arg-type]
    places = [entry.place for entry in found]
    assert len(places) == len(set(places))
    return dict(zip(places, found, strict=True))


def test_all_that_it_shows_is_listed_once() -> None:
    assert list(look(Cluster())) == [
        "served at https://192.0.2.1:6443",
        "client certificate of the kubeconfig",
        "ConfigMap kube-system/extension-apiserver-authentication, client-ca-file",
        "ConfigMap kube-system/extension-apiserver-authentication, requestheader-client-ca-file",
        "Secret istio-system/cacerts, ca-cert.pem",
        "Secret istio-system/cacerts, root-cert.pem",
        "Secret ingress/app-tls, tls.crt",
        "Secret ingress/own, tls.crt",
        "ValidatingWebhookConfiguration istio, caBundle",
        "MutatingWebhookConfiguration two, 1. caBundle",
        "MutatingWebhookConfiguration two, 2. caBundle",
        "CustomResourceDefinition pools, caBundle",
        "APIService m, caBundle",
    ]


def test_a_server_whose_certificate_has_ended_is_shown_all_the_same() -> None:
    served = look(Cluster())["served at https://192.0.2.1:6443"]
    assert served.state(datetime.now(UTC)) is State.ENDED
    assert served.renewed_by == "`crossmesh runbook run renew-certificates region=eu`"
    assert served.runbook == "renew-certificates region=eu"


def test_what_up_has_issued_is_renewed_by_it_wherever_it_lies() -> None:
    issued = {fingerprint(ROOT.certificate): "`pulumi up`, from 1095 days before its end"}
    found = look(Cluster(), issued=issued)
    assert found["ValidatingWebhookConfiguration istio, caBundle"].renewed_by.startswith("`pulumi up`")
    assert found["Secret ingress/app-tls, tls.crt"].renewed_by == "its owner"
    assert found["Secret ingress/own, tls.crt"].renewed_by == "cert-manager"


def test_a_bundle_that_is_none_says_so() -> None:
    assert look(Cluster())["APIService m, caBundle"].problem == "it holds no certificate"


def test_an_adopted_cluster_is_its_owner_s() -> None:
    found = look(Cluster(), adopted=True)
    assert found["served at https://192.0.2.1:6443"].renewed_by == "its owner"
    assert found["client certificate of the kubeconfig"].renewed_by.startswith("its owner")


def test_a_part_that_may_not_be_read_hides_no_other() -> None:
    cluster = Cluster()
    cluster.objects[clusters._TLS_SECRETS] = NotAllowed("secrets are forbidden", fix="give the right")
    found = look(cluster)
    entry = found["TLS secrets"]
    assert (entry.state(datetime.now(UTC)), entry.fix) == (State.UNKNOWN, "give the right")
    assert "MutatingWebhookConfiguration two, 1. caBundle" in found


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    cluster = Cluster()
    cluster.silent, cluster.client_certificate = Unanswered("no route"), None
    (entry,) = look(cluster).values()
    assert (entry.problem, entry.state(datetime.now(UTC))) == ("no route", State.UNKNOWN)


@pytest.mark.parametrize("data", [None, {}, {"data": {}}])
def test_a_cluster_without_a_mesh_of_ours_has_no_authority_of_one(data: Any) -> None:
    cluster = Cluster()
    cluster.objects[CACERTS] = data
    assert not [place for place in look(cluster) if "cacerts" in place]
