"""Addresses follow from the lab's name and the order of its file."""

from __future__ import annotations

import pytest

from lab.addressing import allocate, octet
from lab.errors import LabError
from lab.spec import load


def test_the_reference_labs_addresses_are_what_stack_files_say() -> None:
    where = allocate("lab", load())
    assert where.network == "10.101.0.0/16"
    assert (where.services_router, where.mirror, where.host) == ("10.101.0.1", "10.101.0.2", "10.101.0.254")
    assert where.regions["eu"].router == "10.101.1.1"
    assert where.machines == {
        "eu-cp-1": "10.101.1.11", "eu-worker-1": "10.101.1.12", "eu-edge-1": "10.101.1.13",
        "us-cp-1": "10.101.2.11", "us-worker-1": "10.101.2.12", "us-edge-1": "10.101.2.13",
    }  # fmt: skip


def test_labs_with_different_names_have_different_networks() -> None:
    assert octet("lab") != octet("test-ci")


def test_every_name_gives_an_octet_that_fits() -> None:
    assert {64 <= octet(f"n{number}") < 192 for number in range(500)} == {True}


def test_names_of_interfaces_fit_into_the_kernels_15_characters() -> None:
    where = allocate("abcdefghijkl", load())
    assert len(where.host_interface) <= 15
    assert all(len(region.bridge) <= 15 for region in where.regions.values())


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "lab-", "a_b", "abcdefghijklm", "a/b", "..", "a b"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        allocate(name, load())
