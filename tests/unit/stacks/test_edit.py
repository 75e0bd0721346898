"""One value of a declaration, changed where it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.edit import set_value, set_values
from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.conftest import GOOD
from tests.unit.stacks.test_write import difference

Write = Callable[[str], Path]
KEYS = ("regions", "eu", "cluster", "encryptionKeys")
CLUSTER = "      eu:\n"


def edited(write: Write, text: str, value: list[int]) -> list[str]:
    path = write(text)
    assert set_value(path, KEYS, value)
    cluster = load_stack(path).environment.regions["eu"].cluster
    assert cluster.kind == "bareMetal"
    assert list(cluster.encryption_keys) == value
    assert not set_value(path, KEYS, value)
    return difference(text, path.read_text())


def in_cluster(line: str) -> str:
    """The file with a line more in the cluster of `eu`, behind its kind."""
    at = GOOD.index("kind: bareMetal")
    end = GOOD.index("\n", at) + 1
    column = at - GOOD.rindex("\n", 0, at) - 1
    return GOOD[:end] + "".join(f"{' ' * column}{part}\n" for part in line.splitlines()) + GOOD[end:]


def test_a_key_that_is_not_there_gets_a_line_behind_the_first(write: Write) -> None:
    (line,) = edited(write, GOOD, [1, 2])
    assert line.strip("+ ") == "encryptionKeys: [1, 2]"


@pytest.mark.parametrize(
    ("there", "gone"),
    [
        ("encryptionKeys: [1, 2]  # since May", 1),
        ("encryptionKeys:\n  # both of them\n  - 1\n  - 2  # the new one", 4),
        ("encryptionKeys: [\n  1, 2]", 2),
        ('"encryptionKeys": [1,2]', 1),
        ("encryptionKeys:\n- 1\n- 2  # the new one", 3),
    ],
)
def test_a_value_that_is_there_is_replaced_and_what_follows_it_stays(
    write: Write, there: str, gone: int
) -> None:
    lines = edited(write, in_cluster(there), [2, 1])
    assert len([line for line in lines if line.startswith("-")]) <= gone
    assert all("2, 1" in line or "ncryptionKeys" in line for line in lines if line.startswith("+"))
    if "# since May" in there:
        assert lines[-1].endswith("[2, 1]  # since May")


def test_a_mapping_in_one_line_stays_in_one_line(write: Write) -> None:
    text = in_cluster("audit: {maxAge: 40}")
    path = write(text)
    assert set_value(path, ("regions", "eu", "cluster", "audit", "enabled"), False)
    (gone, come) = difference(text, path.read_text())
    assert gone.strip("- ") == "audit: {maxAge: 40}"
    assert come.strip("+ ") == "audit: {enabled: false, maxAge: 40}"


def test_what_would_be_no_valid_declaration_is_not_written(write: Write) -> None:
    path = write(GOOD)
    with pytest.raises(StackFileError, match="encryptionKeys"):
        set_value(path, KEYS, [])
    assert path.read_text() == GOOD


def test_a_place_that_is_not_there_is_said(write: Write) -> None:
    with pytest.raises(ValueError, match=r"regions\.nowhere\.cluster is no mapping"):
        set_value(write(GOOD), ("regions", "nowhere", "cluster", "encryptionKeys"), [1])


BALANCER = "globalLoadBalancer"


def test_several_values_are_written_in_one_step_or_none_of_them(write: Write) -> None:
    weights = "\n      policy: {weights: {eu: 70, us: 30, cloud: 0}}"
    text = GOOD.replace("healthCheck: {interval: 3, timeout: 2}", f"ttl: 7{weights}")
    path = write(text)
    values = {(BALANCER, "drained"): ["eu"], (BALANCER, "policy", "weights", "eu"): 18}
    assert set_values(path, values)
    assert not set_values(path, values)
    balancer = load_stack(path).environment.global_load_balancer
    assert balancer is not None and balancer.policy is not None
    assert (balancer.drained, balancer.policy.weights["eu"]) == (("eu",), 18)
    assert sorted(difference(text, path.read_text())) == [
        '+      drained: ["eu"]',
        "+      policy: {weights: {eu: 18, us: 30, cloud: 0}}",
        "-      policy: {weights: {eu: 70, us: 30, cloud: 0}}",
    ]
    before = path.read_text()
    with pytest.raises(StackFileError, match="all regions"):
        set_values(path, {(BALANCER, "drained"): ["eu", "us", "cloud"], (BALANCER, "ttl"): 9})
    assert path.read_text() == before
