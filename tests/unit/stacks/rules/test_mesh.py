"""Each rule over mesh, broken once in a file that is right otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import releases
from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import (
    ISTIO,
    Bad,
    Write,
    assert_refused,
    bad,
)
from tests.unit.stacks.conftest import changed

OLDEST = releases.release("istio", ISTIO).runs_on["kubernetes"].oldest

CASES: dict[str, Bad] = {
    "adopted cluster that is too old for Istio": bad(
        (
            "          kubeconfigSecret: cloudKubeconfig\n",
            '          kubeconfigSecret: cloudKubeconfig\n          kubernetesVersion: "1.29"\n',
        ),
        path="regions.cloud.cluster.kubernetesVersion",
        line="kubernetesVersion",
        got=f"Kubernetes 1.29 with Istio {ISTIO}",
        rule=f"Istio {releases.minor(ISTIO)} runs on Kubernetes {OLDEST}, ",
        fix="have its owner upgrade the cluster: no release of Istio in docs/releases.md runs on Kubernetes",
    ),
    "two mesh networks": bad(
        ("machineNetwork: 10.20.0.0/16", "machineNetwork: 10.20.0.0/16\n        meshNetwork: cloud"),
        path="regions.cloud.meshNetwork",
        line="meshNetwork",
        got="cloud, where region 'eu' has flat",
        rule="1 mesh network over all regions",
        fix="write flat",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)


def test_an_istio_that_does_not_support_the_kubernetes_version_is_refused(
    write: Write, catalogue: Callable[[str, str], None]
) -> None:
    catalogue("kubernetes", "1.36.0")
    text = changed(("    sources:\n", "    versions: {kubernetes: 1.36.0}\n    sources:\n"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.got == f"Kubernetes 1.36.0 with Istio {ISTIO}"
    assert str(releases.release("istio", ISTIO).runs_on["kubernetes"]) in problem.rule


def test_of_a_kubernetes_that_no_istio_here_runs_on_yet_it_is_said_that_there_is_none(
    write: Write, catalogue: Callable[[str, str], None]
) -> None:
    catalogue("kubernetes", "1.39.0")
    text = changed(("    sources:\n", "    versions: {kubernetes: 1.39.0}\n    sources:\n"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.fix.startswith("change one of the two versions: kubernetes: ")
    assert f"upon yourself by `unlistedPairs: [{{istio: {ISTIO}, kubernetes: 1.39.0}}]`" in problem.fix
    assert problem.fix.endswith("; no release of Istio in docs/releases.md runs on Kubernetes 1.39.0")


def test_an_istio_that_goes_first_in_a_region_is_held_against_that_region_s_kubernetes(
    write: Write, catalogue: Callable[[str, str], None]
) -> None:
    catalogue("kubernetes", "1.36.0")
    network = "        machineNetwork: 192.0.2.64/26\n"
    with pytest.raises(StackFileError) as caught:
        load_stack(write(changed((network, f"{network}        versions: {{kubernetes: 1.36.0}}\n"))))
    (problem,) = caught.value.problems
    assert problem.path[-4:] == ("regions", "us", "versions", "kubernetes")
    assert problem.fix.startswith(
        f"change one of the two versions: kubernetes: {releases.versions('kubernetes')[0]}"
    )


def test_a_metallb_that_does_not_support_the_kubernetes_version_is_refused_where_it_is_declared(
    write: Write, catalogue: Callable[[str, str], None]
) -> None:
    catalogue("kubernetes", "1.36.0")
    versions = "    versions: {kubernetes: 1.36.0, metallb: 0.15.2}\n"
    with pytest.raises(StackFileError) as caught:
        load_stack(write(changed(("    sources:\n", f"{versions}    sources:\n"))))
    assert [problem.got for problem in caught.value.problems] == [
        f"Kubernetes 1.36.0 with Istio {ISTIO}",
        "Kubernetes 1.36.0 with MetalLB 0.15.2",
    ]


def test_of_an_adopted_cluster_the_istio_that_is_its_region_s_own_is_the_one_to_change(
    write: Write, catalogue: Callable[[str, str], None]
) -> None:
    catalogue("istio", "1.29.2")
    secret = "          kubeconfigSecret: cloudKubeconfig\n"
    network = "        machineNetwork: 10.20.0.0/16\n"
    text = changed(
        (network, f"{network}        versions: {{istio: 1.29.2}}\n"),
        (secret, f'{secret}          kubernetesVersion: "1.29"\n'),
    )
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.path[-4:] == ("regions", "cloud", "versions", "istio")
    assert problem.got == "Kubernetes 1.29 with Istio 1.29.2"
