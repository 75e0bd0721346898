"""The lab's description: what is accepted, and how all mistakes are told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.spec import load

_WHOLE = """
regions: {eu: [eu-a, eu-b], us: [us-a]}
fabric: {asn: 65000, acceptedPrefixes: [172.30.0.0/16]}
system: {suite: bookworm, packages: [systemd]}
mirror: {packages: [curl]}
"""


def _load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    load(path)


def test_the_reference_has_two_regions_of_three_machines() -> None:
    spec = load()
    assert {region: len(machines) for region, machines in spec.regions.items()} == {"eu": 3, "us": 3}
    assert spec.machines["us-edge-1"] == "us"
    assert spec.accepted_prefixes == ("172.30.0.0/16",)


def test_the_reference_installs_nothing_of_kubernetes_on_machines() -> None:
    system = set(load().system_packages)
    assert not system & {"containerd", "runc", "iptables", "nftables", "conntrack", "kubelet", "bird2"}


def test_a_machine_may_have_another_suite_than_the_lab(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(_WHOLE.replace("eu-b", "{name: eu-b, suite: trixie}"))
    spec = load(path)
    assert spec.regions["eu"] == ("eu-a", "eu-b")
    assert [spec.suite_of(machine) for machine in spec.machines] == ["bookworm", "trixie", "bookworm"]
    assert [one.suite for one in spec.by_suite()] == ["bookworm", "trixie"]


def test_a_suite_that_no_machine_has_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(_WHOLE.replace("eu: [eu-a, eu-b], us: [us-a]", "eu: [{name: eu-a, suite: trixie}]"))
    assert [one.suite for one in load(path).by_suite()] == ["trixie"]


def test_a_minimal_description_is_enough(tmp_path: Path) -> None:
    _load(tmp_path, _WHOLE)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("regions:", "region: x\nregions:", "region: unknown key"),
        ("asn: 65000", "asn: many", "fabric.asn: 'many'"),
        ("172.30.0.0/16", "172.30.0.1/16", "has host bits set"),
        ("suite: bookworm", "suite: 12", "system.suite"),
        ("us: [us-a]", "us: [{name: us-a, suite: 13}]", "regions.us: us-a.suite: name a Debian suite"),
        ("us: [us-a]", "us: [{name: us-a}]", "regions.us: us-a.suite: name a Debian suite"),
        ("us: [us-a]", "us: [{suite: trixie}]", "regions.us: None is not a host name"),
        ("us: [us-a]", "us: [{name: us-a, suit: trixie}]", "regions.us: us-a.suit: unknown key"),
        ("eu-a, eu-b", "eu-a, eu-a", "eu-a is already in region eu"),
        ("us: [us-a]", "us: [eu-a]", "eu-a is already in region eu"),
        ("us: [us-a]", "us: [Us_A]", "'Us_A' is not a host name"),
        ("us: [us-a]", "us: us-a", "regions.us: expected the list"),
        ("us: [us-a]", "a-name-that-is-long: [us-a]", "use 2 to 12"),
        ("packages: [curl]", "packages: curl", "mirror.packages: expected a list"),
        ("fabric:", "emulated: [us-b]\nfabric:", "emulated: us-b is in no region"),
        ("fabric:", "emulated: us-a\nfabric:", "emulated: expected a list"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(LabError) as caught:
        _load(tmp_path, _WHOLE.replace(old, new))
    assert words in str(caught.value)
    assert "lab.yaml" in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        _load(tmp_path, _WHOLE.replace("65000", "0").replace("us-a", "US").replace("bookworm", "7"))
    assert "3 problem(s)" in str(caught.value)


def test_a_region_that_is_too_large_is_refused(tmp_path: Path) -> None:
    machines = ", ".join(f"m{number}" for number in range(190))
    with pytest.raises(LabError, match="190 machines, at most 189 fit"):
        _load(tmp_path, _WHOLE.replace("us-a", machines))


def test_text_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        _load(tmp_path, "regions: [")
