from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509

from access.programs import Executed
from live.checks import trust
from live.doctor.model import NotMeasurable
from report.model import Status
from tests.unit.operations.support import Answers, Issued, issue, make_platform, pod, run

ROOT = issue("root", ca=True, days=3650)
EU = issue("eu", ROOT, ca=True)
US = issue("us", ROOT, ca=True)


def cacerts(intermediate: Issued, root: Issued = ROOT) -> dict[str, dict[str, str]]:
    return {"cacerts": {"ca-cert.pem": intermediate.pem, "root-cert.pem": root.pem, "ca-key.pem": "secret"}}


def test_one_root_and_an_intermediate_per_region_are_ok() -> None:
    platform = make_platform({"eu": Answers(secrets=cacerts(EU)), "us": Answers(secrets=cacerts(US))})
    finding = run(trust.check_authorities, platform)
    assert finding.status is Status.PASS
    assert finding.measured == "1 root, 2 intermediates in 2 regions"


OTHER = issue("other", ca=True, days=3650)


@pytest.mark.parametrize(
    ("us", "words"),
    [
        (cacerts(issue("us", OTHER, ca=True), OTHER), "2 roots"),
        (cacerts(EU), "share one intermediate"),
        (cacerts(issue("us", OTHER, ca=True)), "not signed by"),
        (cacerts(issue("us", ROOT, ca=True, days=1, age=365)), "expires"),
    ],
)
def test_roots_and_intermediates_that_do_not_belong_together_are_found(
    us: dict[str, dict[str, str]], words: str
) -> None:
    platform = make_platform({"eu": Answers(secrets=cacerts(EU)), "us": Answers(secrets=us)})
    finding = run(trust.check_authorities, platform)
    assert finding.status is Status.FAIL
    assert words in finding.message


def test_a_secret_without_certificates_cannot_be_measured() -> None:
    platform = make_platform({"eu": Answers(secrets={"cacerts": {}})})
    with pytest.raises(NotMeasurable, match="cacerts of eu"):
        trust.read_authority(platform, "eu")


def dump(chain: str, root: str = ROOT.pem) -> Executed:
    def inline(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    own = {"tls_certificate": {"certificate_chain": {"inline_bytes": inline(chain)}}}
    trusted = {"validation_context": {"trusted_ca": {"inline_bytes": inline(root)}}}
    configs = [{"name": "default", "secret": own}, {"name": "ROOTCA", "secret": trusted}]
    return Executed(0, json.dumps({"configs": configs}), "")


def workload(identity: str, issuer: Issued = EU) -> str:
    return (
        issue("workload", issuer, days=1, age=0, sans=(x509.UniformResourceIdentifier(identity),)).pem
        + issuer.pem
    )


GOOD = "spiffe://lab.crossmesh.test/ns/greencompute/sa/shop"


def identities(answer: Executed) -> object:
    answers = Answers(
        secrets=cacerts(EU), pods=[pod("a", account="shop")], execute=lambda pod, container, command: answer
    )
    return run(trust.check_identities, make_platform({"eu": answers}), "eu")


def test_a_sidecar_with_its_account_s_identity_from_its_region_s_intermediate_is_ok() -> None:
    finding = identities(dump(workload(GOOD)))
    assert finding.status is Status.PASS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (dump(workload("spiffe://cluster.local/ns/greencompute/sa/shop")), "spiffe://cluster.local"),
        (dump(workload(GOOD, US)), "another intermediate"),
        (dump(workload(GOOD), OTHER.pem), "does not trust the root"),
        (Executed(1, "", "connection refused"), "connection refused"),
    ],
)
def test_a_sidecar_of_another_identity_or_authority_is_found(answer: Executed, words: str) -> None:
    finding = identities(answer)
    assert finding.status is Status.FAIL  # type: ignore[attr-defined]
    assert words in finding.message  # type: ignore[attr-defined]


def test_a_region_without_sidecars_is_not_ok() -> None:
    platform = make_platform({"eu": Answers(secrets=cacerts(EU))})
    assert run(trust.check_identities, platform, "eu").status is Status.FAIL
