"""Clusters that exist already, by the kubeconfigs that people have of them."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import yaml

from components.platform import Platform
from stacks.ledger import Ledger
from stacks.load import Stack
from stacks.model import Environment
from tests.unit.components import support
from tests.unit.stacks.small import small

REGIONS = """
shop:
  machineNetwork: 10.20.0.0/16
  cluster: {kind: adopted, kubeconfigSecret: shop, podCidr: 10.42.0.0/16, serviceCidr: 10.43.0.0/16}
warehouse:
  machineNetwork: 10.21.0.0/16
  cluster: {kind: adopted, kubeconfigSecret: warehouse, podCidr: 10.44.0.0/16, serviceCidr: 10.45.0.0/16}
"""
LOCAL = support.KUBECONFIG.replace("192.0.2.1", "127.0.0.1")


def build(regions: int = 2, **shop: str) -> support.Recording:
    declared = yaml.safe_load(REGIONS)
    declared["shop"]["cluster"].update(shop)
    environment = Environment.model_validate(small(dict(list(declared.items())[:regions])))
    stack: Stack = replace(support.reference_stack(), environment=environment, ledger=Ledger())
    kubeconfigs = {"shop": LOCAL, "warehouse": support.KUBECONFIG}
    return support.run(
        lambda: Platform("lab", stack, "root key", kubeconfigs=kubeconfigs).outputs, preview=True
    )


def test_a_loopback_address_is_refused_in_the_first_preview(small_charts: None) -> None:
    with pytest.raises(Exception, match=r"127\.0\.0\.1:6443, which means another machine"):
        build()


def test_a_program_that_fails_leaves_no_future_that_nobody_asked(
    small_charts: None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Exception, match="another machine"):
        build()
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_the_address_by_which_others_reach_it_makes_it_right(small_charts: None) -> None:
    build(apiServer="https://kube.example:6443")


def test_a_cluster_that_no_other_one_reads_may_have_a_loopback_address(small_charts: None) -> None:
    build(regions=1)
