from __future__ import annotations

import pytest

from live.checks import addresses
from report.model import Status
from tests.unit.operations.support import (
    make_platform,
    raw_outputs,
    run,
)


def test_the_reference_slices_are_ok() -> None:
    assert run(addresses.check_slices, make_platform()).status is Status.PASS


@pytest.mark.parametrize(
    ("region", "key", "value", "words"),
    [
        ("us", "podCidr", "172.30.8.0/20", "pods of eu"),
        ("us", "serviceCidr", "172.31.0.0/16", "services of eu"),
        ("eu", "podCidr", "10.101.1.0/24", "machines of eu"),
    ],
)
def test_ranges_that_overlap_are_named_with_both_owners(
    region: str, key: str, value: str, words: str
) -> None:
    regions = raw_outputs()["regions"]
    regions[region][key] = "172.30.0.0/20" if value == "172.30.8.0/20" else value
    finding = run(addresses.check_slices, make_platform(regions=regions))
    assert finding.status is Status.FAIL
    assert "overlaps" in finding.message
    assert words in finding.message


def test_a_node_that_has_another_slice_than_the_ledger_says_is_found() -> None:
    regions = raw_outputs()["regions"]
    regions["eu"]["nodes"]["eu-worker-1"]["podCidr"] = "172.30.9.0/24"
    finding = run(addresses.check_slices, make_platform(regions=regions))
    assert "the ledger says 172.30.1.0/24" in finding.message
