"""Each rule over environment, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

import releases
from tests.unit.stacks.bad import (
    ISTIO,
    KUBERNETES,
    METALLB,
    Bad,
    Write,
    assert_refused,
    bad,
)

CLOUD = "        machineNetwork: 10.20.0.0/16\n"

CASES: dict[str, Bad] = {
    "unsupported version of a region": bad(
        (CLOUD, f"{CLOUD}        versions: {{istio: 1.99.0}}\n"),
        path="regions.cloud.versions.istio",
        line="1.99.0",
        got="1.99.0",
        rule=f"supported versions of istio: {', '.join(releases.versions('istio'))}",
        fix=f"write {ISTIO}",
    ),
    "pair that no region has": bad(
        ("    sources:\n", f"    unlistedPairs: [{{istio: {ISTIO}, kubernetes: 1.37.1}}]\n    sources:\n"),
        path="unlistedPairs[0]",
        line="kubernetes: 1.37.1",
        got=f"{{istio: {ISTIO}, kubernetes: 1.37.1}}",
        rule="no region that it is for has both",
        fix="remove it, or name the two of a region",
    ),
    "Kubernetes for a cluster that is there already": bad(
        (CLOUD, f"{CLOUD}        versions: {{kubernetes: {KUBERNETES}}}\n"),
        path="regions.cloud.versions.kubernetes",
        line=f"kubernetes: {KUBERNETES}",
        got=KUBERNETES,
        rule="no Kubernetes into an adopted cluster",
        fix="by `kubernetesVersion` of its `cluster`",
    ),
    "MetalLB where there are no addresses for it": bad(
        (CLOUD, f"{CLOUD}        versions: {{metallb: {METALLB}}}\n"),
        path="regions.cloud.versions.metallb",
        line=f"metallb: {METALLB}",
        got=METALLB,
        rule="in regions with `loadBalancer`",
        fix="remove it",
    ),
    "unsupported version": bad(
        ("    sources:\n", "    versions: {istio: 1.27.0}\n    sources:\n"),
        path="versions.istio",
        line="1.27.0",
        got="1.27.0",
        rule=f"supported versions of istio: {', '.join(releases.versions('istio'))}",
        fix=f"write {ISTIO}",
    ),
    "image whose name is in capitals": bad(
        ("registry.example.test:5000/front:1.0", "registry.example.test:5000/Front:1.0"),
        path="applications.front.image",
        line="Front:1.0",
        got="registry.example.test:5000/Front:1.0",
        rule="in lower case up to the tag",
        fix="write registry.example.test:5000/front:1.0",
    ),
    "image without a tag": bad(
        ("registry.example.test:5000/front:1.0", "registry.example.test:5000/front"),
        path="applications.front.image",
        line="5000/front",
        got="registry.example.test:5000/front",
        rule="a tag other than `latest`",
        fix="write registry.example.test:5000/front:<version>",
    ),
    "image with the latest tag": bad(
        ("registry.example.test:5000/front:1.0", "registry.example.test:5000/front:latest"),
        path="applications.front.image",
        line="5000/front",
        got="front:latest",
        rule="a tag other than `latest`",
        fix="write registry.example.test:5000/front:<version>",
    ),
    "image of the doctor's pods without a tag": bad(
        ("    sources:\n", "    probeImage: registry.example.test/tools\n    sources:\n"),
        path="probeImage",
        line="registry.example.test/tools",
        got="registry.example.test/tools",
        rule="a tag other than `latest`",
        fix="write registry.example.test/tools:<version>",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
