"""What a preview means: the changes with their risks, the rules' findings, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gate import approval, engine_failure, rules
from gate.changes import change_set, settled
from gate.effects import engine as effects
from gate.effects import sources
from gate.model import GateOptions, Prepared
from gate.preview import Preview
from gate.rules import user_packs
from gate.rules.subject import of_problem, passed
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Finding, Rule
from report.verdict import verdict
from stacks.errors import StackFileError, render_path
from stacks.load import Stack

WAIVERS = "policies/waivers.yaml"
DECLARATION_RULE = Rule(
    "declaration/valid",
    "The stack file is a valid declaration",
    "docs/reference/stack-file.md describes every key.",
)


def judge(root: Path, head: Stack, prepared: Prepared, seen: Preview, options: GateOptions) -> Examination:
    """Judge what the engine said. `head` is the stack as `root` declares it."""
    changes = change_set(seen.events, prepared.against)
    changes = replace(changes, notices=(*prepared.notices, *changes.notices))
    if prepared.against is Against.BASE:
        changes = settled(changes, prepared.issuers)
    read = sources.open_sources(head.path, root)
    changes = approval.approve(sources.locate(effects.assess(changes), read), options.approve)
    if seen.succeeded:
        changes = approval.tell_of_unused(changes, options.approve)
    changes = approval.mark_pending(changes, prepared.pending)
    applied: tuple[Rule, ...] = (*engine_failure.RULES, DECLARATION_RULE)
    if not seen.succeeded and not user_packs.failed_by_packs(seen.events):
        directory = prepared.workspace.directory
        found = engine_failure.findings(changes.notices, seen.events, seen.words, directory)
        met: tuple[Rule, ...] = (DECLARATION_RULE,)
    else:
        met = applied
        fixed, found = rules.examine(
            changes=changes,
            stack=head,
            before=prepared.before,
            events=seen.events,
            today=options.today,
            waivers=root / WAIVERS,
        )
        applied += fixed
    placed = sources.place((*found, *map(passed, met)), changes, read)
    shown = effects.layers(changes, head, prepared.before)
    return Examination(
        stack=head.name,
        verb="gate",
        verdict=verdict(changes, shown, placed, options.strict, options.expect_no_changes),
        changes=changes,
        layers=shown,
        rules=tuple(sorted(applied, key=lambda rule: rule.id)),
        findings=tuple(sorted(placed, key=Finding.order)),
        producer=options.produced_by,
        topology=effects.topology(changes),
    )


def invalid(root: Path, stack: str, error: StackFileError, producer: Producer) -> Examination:
    """The answer for a stack file that is no valid declaration: every problem with its line."""
    file = error.file.relative_to(root).as_posix() if error.file.is_relative_to(root) else error.file.name
    found = tuple(
        of_problem(DECLARATION_RULE, problem, file, render_path(problem.path)) for problem in error.problems
    )
    return Examination(
        stack=stack,
        verb="gate",
        verdict=Verdict(ExitCode.USAGE, f"{file} is no valid declaration: {many(len(found), 'problem')}."),
        changes=ChangeSet(Against.NOTHING, (), ()),
        layers=(),
        rules=(DECLARATION_RULE,),
        findings=found,
        producer=producer,
    )
