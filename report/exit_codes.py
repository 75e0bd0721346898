"""Exit codes of all commands. They are stable: pipelines rest on them.

0 to 9 mean what they mean for Pulumi's own command line (its documentation, "Exit codes"); Pulumi's next
numbers may come at any time, so those of our own start at 10 and stay there.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "reference" / "exit-codes.md"
"""Where `reference` is kept."""


class ExitCode(IntEnum):
    """How a command ended. Of several stacks, the one named first in `WORST_FIRST` is taken."""

    meaning: str
    remedy: str

    def __new__(cls, number: int, meaning: str = "", remedy: str = "") -> ExitCode:
        """A code, what it means, and what to do about it."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        code.remedy = remedy
        return code

    @property
    def id(self) -> str:
        """Its stable word: `needs-approval`."""
        return self.name.lower().replace("_", "-")

    CLEAN = 0, "all is well: nothing stands against the change, nothing drifted, every check passed"
    TOOL_ERROR = 1, "something went wrong that has no code of its own", "read the message; it names what"
    USAGE = (
        2,
        "wrong usage, or a declaration or configuration that is not valid",
        "each problem of a stack file has its line and its fix",
    )
    AUTHENTICATION = (
        3,
        "a passphrase, token or certificate is missing, expired or refused",
        'give that of the stack; of the lab, `eval "$(make -s lab-env)"`',
    )
    PREVIEW_FAILED = (
        4,
        "the engine could not preview or apply the change, or read the state",
        "the program's or provider's message is in the report",
    )
    POLICY = (
        5,
        "a rule failed and nothing waives it",
        "mend it, or add a waiver with owner, reason and expiry",
    )
    STACK_NOT_FOUND = (
        6,
        "the backend has no stack of that name",
        "`crossmesh secrets init --stack NAME` makes it",
    )
    UNEXPECTED_CHANGES = (
        7,
        "something changes although --expect-no-changes was given, drift was found, or a newer release",
    )
    CANCELLED = 8, "interrupted by the user or the pipeline", "what was applied by then, `up` says at its end"
    TIMEOUT = 9, "the time that was allowed ran out", "allow more (`--timeout`), or see what did not answer"
    NEEDS_APPROVAL = (
        10,
        "a destructive change that nobody has approved",
        "`--approve PATTERN` for those that are meant",
    )
    NOT_MEASURABLE = (
        11,
        "something could not be measured, and --strict was given; of the doctor, of certificates, of "
        "hardening and of releases always",
        "the report says what was in the way",
    )
    STALE = (
        12,
        "a sealed plan is not for what is there now, or what happens is not what was sealed",
        "run the gate again, review, seal again",
    )
    LOCKED = (
        13,
        "another run holds the stack",
        "wait for it; `crossmesh status` and `crossmesh lock show` say who",
    )
    UNHEALTHY = 14, "something of what runs is not well", "`crossmesh doctor` says what, why and what to do"


WORST_FIRST = (
    ExitCode.CANCELLED,
    ExitCode.TOOL_ERROR,
    ExitCode.USAGE,
    ExitCode.STACK_NOT_FOUND,
    ExitCode.AUTHENTICATION,
    ExitCode.TIMEOUT,
    ExitCode.PREVIEW_FAILED,
    ExitCode.LOCKED,
    ExitCode.STALE,
    ExitCode.POLICY,
    ExitCode.NEEDS_APPROVAL,
    ExitCode.UNHEALTHY,
    ExitCode.UNEXPECTED_CHANGES,
    ExitCode.NOT_MEASURABLE,
    ExitCode.CLEAN,
)


def worst(codes: list[ExitCode]) -> ExitCode:
    """The code of a run over several stacks."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.CLEAN)


def reference() -> str:
    """The page on exit codes, as the text of its file."""
    order = ", ".join(str(int(code)) for code in WORST_FIRST)
    rows = [f"| {int(code)} | `{code.id}` | {code.meaning} | {code.remedy} |" for code in ExitCode]
    table = "\n".join(["| code | name in reports | means | what to do |", "|---:|---|---|---|", *rows])
    return f"""# Exit codes

Every command of `crossmesh`, and of `python -m releases`, ends with one of these; which ones, its
`--help` says. They are stable; 0 to 9 mean what they mean for `pulumi`.

{table}

Of several stacks, the worst counts: {order}.
"""
