"""Comparing what was promised with what was done."""

from __future__ import annotations

from report.model import SECRET, UNKNOWN
from tests.lab.promises import broken


def test_equal_promises_are_kept_whatever_could_not_be_known() -> None:
    promised = {"a": ("create", {"x": UNKNOWN, "data": SECRET, "salt": "1", "list": [1, {"y": UNKNOWN}]})}
    done = {"a": ("create", {"x": {"z": 1}, "data": SECRET, "salt": "2", "list": [1, {"y": 3}]})}
    assert broken(promised, done) == []


def test_a_secret_whose_parts_are_hidden_as_one_in_the_end_is_kept() -> None:
    promised = {"a": ("create", {"data": {"tls.crt": UNKNOWN, "tls.key": SECRET}})}
    assert broken(promised, {"a": ("create", {"data": SECRET})}) == []
    promised["a"][1]["data"]["shown"] = "known"
    assert len(broken(promised, {"a": ("create", {"data": SECRET})})) == 1


def test_every_way_to_break_a_promise_is_seen() -> None:
    promised = {
        "gone": ("create", {}),
        "op": ("update", {}),
        "in": ("create", {"a": [1], "b": 2, "c": SECRET}),
    }
    done = {
        "new": ("delete", {}),
        "op": ("replace", {}),
        "in": ("create", {"a": [1, 2], "b": 3, "c": "x", "d": 1}),
    }
    assert broken(promised, done) == [
        "promised, not done: create gone",
        "done, not promised: delete new",
        "in: a: promised [1], done [1, 2]",
        "in: b: promised 2, done 3",
        "in: d: promised None, done 1",
        "update promised, replace done: op",
    ]
