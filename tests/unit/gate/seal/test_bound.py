"""In what two sets of what a plan is bound to differ: each thing by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gate.seal.bound import BoundKind, StateDigest
from tests.unit.gate.seal.support import HASH, bound

OTHER = "b" * 64


def test_what_is_as_it_was_sealed_differs_in_nothing() -> None:
    assert bound().differences(bound()) == ()


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, facts in bound().facts.items() for name in facts]
)
def test_each_thing_that_changed_is_named(kind: BoundKind, name: str) -> None:
    facts = {**bound().facts[kind], name: OTHER}
    (line,) = bound().differences(bound(**{kind.value: facts}))
    assert line.startswith(f"{kind}: {name}")


def test_of_digests_the_beginning_is_shown_and_of_versions_all() -> None:
    now = bound(
        toolchain={"helm": "3.18.7", "requirements.lock": HASH},
        configuration={"stacks/Pulumi.lab.yaml": OTHER},
    )
    assert bound().differences(now) == (
        "configuration: stacks/Pulumi.lab.yaml differs from what was sealed "
        "(sealed aaaaaaaaaaaa…, now bbbbbbbbbbbb…)",
        "toolchain: helm: 3.18.6 -> 3.18.7",
    )


def test_everything_that_changed_is_told_at_once() -> None:
    changed = {kind.value: dict.fromkeys(bound().facts[kind], OTHER) for kind in BoundKind}
    now = replace(bound(**changed), state=StateDigest("other", {}, ""))
    lines = bound().differences(now)
    assert [line.partition(":")[0] for line in lines] == [
        "commit",
        "configuration",
        "inventory",
        "roles",
        "policies",
        "charts",
        "charts",
        "toolchain",
        "toolchain",
        "program",
        "program",
        "state",
    ]


def test_what_came_and_what_went_is_told() -> None:
    now = bound(program={"__main__.py": HASH, "components/new.py": HASH})
    assert bound().differences(now) == (
        "program: components/new.py was not there when the plan was sealed",
        "program: components/platform.py is not there any more",
    )


def test_of_many_things_of_a_kind_some_are_named_and_the_rest_counted() -> None:
    now = bound(program={f"components/{number:02}.py": HASH for number in range(40)})
    lines = bound().differences(now)
    assert len(lines) == 13
    assert lines[-1] == "program: and 30 more"


def test_files_that_differ_from_the_commit_are_bound_by_content_alone() -> None:
    assert bound().differences(replace(bound(), dirty=("notes",))) == ()
