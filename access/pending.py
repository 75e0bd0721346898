"""Operations that a killed engine left in a stack's state as begun, and what is to be remembered of them.

The engine writes down that it begins something before it does so. Killed in the middle, it finds the note in
the next run, warns of it, and drops it, unless it is of a creation: that one is kept, and warned of for ever.
Either way the resource counts as what it was before. So each note is turned into what the engine acts upon:
a resource whose initialisation failed, which the next run finishes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from access import engine

_ENGINE_S_OWN = "pulumi:"


@dataclass(frozen=True)
class Pending:
    """One operation. doing: the engine's word, for example `creating`, `updating` or `deleting`."""

    urn: str
    doing: str

    def __str__(self) -> str:
        return f"{self.urn.rpartition('::')[2]} was interrupted while {self.doing}"


def read(stack: str) -> list[Pending]:
    """Return what was interrupted in a stack, in the state's order. Raises as `engine.pulumi` does."""
    return operations(engine.stack_state(stack))


def settle(stack: str, brought_to: Mapping[str, Sequence[str]]) -> list[Pending]:
    """Have the next run finish what was interrupted; return what that was. Raises as `engine.pulumi` does.

    Nothing else may use the stack meanwhile. brought_to: as in `settled`.
    """
    exported = engine.stack_state(stack)
    pending = operations(exported)
    if pending:
        text = json.dumps(settled(exported, brought_to))
        engine.pulumi("stack", "import", "--stack", stack, stdin=text, timeout=300)
    return pending


def operations(exported: Mapping[str, Any]) -> list[Pending]:
    """Return the interrupted operations of an exported state."""
    entries = (exported.get("deployment") or {}).get("pending_operations") or ()
    return [Pending(entry["resource"]["urn"], entry["type"]) for entry in entries]


def settled(exported: Mapping[str, Any], brought_to: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return an exported state in which what was interrupted is to be finished.

    brought_to: type token → outputs. The first says what such a resource was last brought to; it is dropped,
        as nobody knows any more. The others are what one has that was ever finished. A creation of these
        types is kept as a resource without any of them, so that what is half there can be taken away; of
        other types it is dropped, and made again.
    """
    state = copy.deepcopy(dict(exported))
    deployment = state["deployment"]
    resources = deployment.setdefault("resources", [])
    here = {resource["urn"]: resource for resource in resources if not resource.get("delete")}
    for entry in deployment.pop("pending_operations", None) or ():
        begun, doing = entry["resource"], entry["type"]
        resource = here.get(begun["urn"])
        told = brought_to.get(begun["type"], ())
        if resource is None and doing == "creating" and told:
            name = begun["urn"].rpartition("::")[2]
            outputs = {key: value for key, value in (begun.get("inputs") or {}).items() if key not in told}
            resource = here[begun["urn"]] = {**begun, "id": name, "outputs": outputs}
            resources.append(resource)
        if resource is None or begun["type"].startswith(_ENGINE_S_OWN):
            continue
        if told or doing == "updating":
            resource["initErrors"] = [f"interrupted while {doing}"]
            for output in told[:1]:
                (resource.get("outputs") or {}).pop(output, None)
    return state
