"""A cluster's authorities come and go in stages; what would cut somebody off is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from gate.rules.change import certificate_authorities
from report.model import Finding
from tests.unit.gate.rules.support import against, changes, stack, with_region

Numbers = tuple[int, ...]


def declared(numbers: Numbers) -> Any:
    def other(old: Any) -> dict[str, Any]:
        return {"cluster": old.cluster.model_copy(update={"certificate_authorities": numbers})}

    return with_region(stack(), "eu", other)


def found(before: Numbers, after: Numbers) -> list[Finding]:
    return against(certificate_authorities.CHECK, changes(), of=declared(after), before=declared(before))


@pytest.mark.parametrize(
    ("before", "after"),
    [((1,), (1,)), ((1,), (1, 2)), ((1, 2), (2, 1)), ((2, 1), (2,)), ((2, 1), (1, 2)), ((1, 2), (1,))],
)
def test_each_stage_and_each_way_back_is_allowed(before: Numbers, after: Numbers) -> None:
    assert found(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "words", "fix"),
    [
        ((1,), (2,), "issued by authority 2, which nobody trusts yet", "[1] becomes [1, 2] first"),
        ((1,), (2, 1), "issued by authority 2, which nobody trusts yet", "[1] becomes [1, 2] first"),
        ((1, 2), (2,), "authority 1 would be trusted no more", "[1, 2] becomes [2, 1] first"),
        ((2,), (2, 1), "authority 1 would be made again", "name 3 instead"),
        ((2,), (1,), "authority 1 would be made again", "name 3 instead"),
    ],
)
def test_what_would_cut_somebody_off_is_stopped(
    before: Numbers, after: Numbers, words: str, fix: str
) -> None:
    (finding,) = found(before, after)
    assert finding.message.startswith("region 'eu': ") and words in finding.message
    assert finding.fix.startswith(fix)
    assert finding.declared == ("regions", "eu", "cluster", "certificateAuthorities")


def test_a_region_that_comes_has_whatever_it_names() -> None:
    assert against(certificate_authorities.CHECK, changes(), of=declared((3, 2))) == []
