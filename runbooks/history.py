"""What a journal says of runs: how far each came, how it ended, and how long steps take here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from runbooks.journal import Entry, Outcome, What
from runbooks.model import Facts


@dataclass
class Past:
    """One run, as the journal has it."""

    run: str
    runbook: str
    values: Mapping[str, str]
    by: str
    began: datetime
    confirmed: str
    last: datetime
    outcome: Outcome | None = None
    """None while it is not ended: it runs, was killed, or failed and could not be taken back."""
    reached: dict[str, float] = field(default_factory=dict)
    """Steps that it verified, with the seconds that each took; 0 for what was so before it."""
    standing: dict[str, Facts] = field(default_factory=dict)
    """Steps that it began and did not take back, in their order, with what it found before each."""
    trouble: str = ""
    """Why it failed last."""
    _doing: dict[str, datetime] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From its beginning to its last word."""
        return (self.last - self.began).total_seconds()

    def take(self, entry: Entry) -> None:
        """Add what an entry says."""
        self.last = at = datetime.fromisoformat(entry.at)
        match entry.what:
            case What.RESUMED:
                self.by, self.trouble = entry.by, ""
            case What.DOING:
                self._doing[entry.step] = at
                # Of a step that is done again, what was found first counts.
                self.standing.setdefault(entry.step, dict(entry.data.get("before", {})))
            case What.REACHED:
                began = self._doing.pop(entry.step, at)
                self.reached[entry.step] = (at - began).total_seconds()
            case What.UNDONE:
                self.standing.pop(entry.step, None)
                self.reached.pop(entry.step, None)
            case What.FAILED:
                self.trouble = str(entry.data.get("why", ""))
            case What.ENDED:
                self.outcome = Outcome(entry.data["outcome"])


def runs(entries: Iterable[Entry]) -> list[Past]:
    """All runs of a journal, oldest first."""
    found: dict[str, Past] = {}
    for entry in entries:
        if entry.what is What.BEGUN:
            at = datetime.fromisoformat(entry.at)
            data = entry.data
            found[entry.run] = Past(
                entry.run, data["runbook"], data["values"], entry.by, at, data["confirmed"], at
            )
        elif entry.run in found:
            found[entry.run].take(entry)
    return list(found.values())


def unfinished(entries: Iterable[Entry]) -> Past | None:
    """The run that has not ended; there is one at most, since the next is not begun before."""
    return next((past for past in reversed(runs(entries)) if past.outcome is None), None)


def estimate(entries: Iterable[Entry], runbook: str, steps: Sequence[str]) -> tuple[float, int]:
    """Seconds that the steps take here, by the median of each, and of how many runs; (0, 0) for none."""
    past = [one for one in runs(entries) if one.runbook == runbook and one.outcome is Outcome.SUCCEEDED]
    if not past:
        return 0.0, 0
    taken = {step: [one.reached[step] for one in past if one.reached.get(step)] for step in steps}
    return sum(median(seconds) for seconds in taken.values() if seconds), len(past)
