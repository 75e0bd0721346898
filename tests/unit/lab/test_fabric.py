"""The router's configuration accepts what is declared, from whom it is declared, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import fabric
from lab.addressing import allocate
from lab.errors import LabError
from lab.spec import load


def test_each_region_may_peer_from_its_own_network_only() -> None:
    config = fabric.configuration(load(), allocate("lab", load()))
    assert "neighbor range 10.101.1.0/24 external;" in config
    assert "neighbor range 10.101.2.0/24 external;" in config
    assert config.count("import filter declared;") == 2
    assert "import all" not in config


def test_a_machine_that_was_lost_is_let_in_again_within_seconds() -> None:
    config = fabric.configuration(load(), allocate("lab", load()))
    assert config.count("error wait time 1, 5;") == 2


def test_only_declared_prefixes_pass_the_filter() -> None:
    config = fabric.configuration(load(), allocate("lab", load()))
    assert "if net ~ [ 172.30.0.0/16+ ] then accept;" in config


def test_without_declared_prefixes_nothing_passes() -> None:
    spec = replace(load(), accepted_prefixes=())
    assert "if false then accept;" in fabric.configuration(spec, allocate("lab", spec))


def test_a_prefix_over_the_labs_own_network_is_refused() -> None:
    spec = replace(load(), accepted_prefixes=("10.0.0.0/8",))
    with pytest.raises(LabError, match=r"10\.0\.0\.0/8 overlaps 10\.101\.0\.0/16"):
        fabric.configuration(spec, allocate("lab", spec))
