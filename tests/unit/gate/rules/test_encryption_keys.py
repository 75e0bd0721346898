"""Keys of Secrets come and go in stages; what would leave Secrets that somebody cannot read is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from gate.rules.change import encryption_keys
from report.model import Finding
from stacks.model import NodeRole
from tests.unit.gate.rules.support import against, changes, stack, with_region

Keys = tuple[int, ...]


def declared(keys: Keys, several: bool) -> Any:
    """The reference stack with keys of Secrets in one region, and several control planes there."""

    def other(old: Any) -> dict[str, Any]:
        first = old.cluster.nodes["eu-cp-1"]
        assert first.role is NodeRole.CONTROL_PLANE
        more = {"eu-cp-2": first, "eu-cp-3": first} if several else {}
        update = {"encryption_keys": keys, "nodes": {**old.cluster.nodes, **more}}
        return {"cluster": old.cluster.model_copy(update=update)}

    return with_region(stack(), "eu", other)


def found(before: Keys, after: Keys, *, several: bool = True) -> list[Finding]:
    of, earlier = declared(after, several), declared(before, several)
    return against(encryption_keys.CHECK, changes(), of=of, before=earlier)


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [((1,), (1,)), ((1,), (1, 2)), ((1, 2), (2, 1)), ((2, 1), (2,)), ((2, 1), (1, 2)), ((1, 2), (1,))],
)
def test_each_stage_and_each_way_back_is_allowed(before: Keys, after: Keys, several: bool) -> None:
    assert found(before, after, several=several) == []


def test_a_key_that_others_lack_is_written_by_nobody() -> None:
    (finding,) = found((1,), (2, 1))
    assert "region 'eu': Secrets would be written by key 2, which no control plane has yet" in finding.message
    assert finding.fix == "[1] becomes [1, 2] first, and is brought about"
    assert finding.declared == ("regions", "eu", "cluster", "encryptionKeys")
    # Who is alone reads what it writes.
    assert found((1,), (2, 1), several=False) == []


def test_a_key_by_which_secrets_are_written_stays() -> None:
    (finding,) = found((1, 2), (2,))
    assert "key 1 would be taken out, and Secrets are written by it" in finding.message
    assert finding.fix == "[1, 2] becomes [2, 1] first, and is brought about"
    (finding,) = found((1,), (2,), several=False)
    assert finding.fix == "[1] becomes [1, 2] first, then [2, 1], and [2] last"


def test_a_region_that_comes_has_whatever_it_names() -> None:
    assert against(encryption_keys.CHECK, changes(), of=declared((3, 2), several=True)) == []
