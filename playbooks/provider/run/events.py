"""Ansible's events as what a person wants to know: what runs, what changed, what failed and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

_MESSAGE_KEYS = ("msg", "stderr", "module_stderr", "stdout", "module_stdout")
_TAIL_LINES = 15
_SHORTEST_SECRET = 6
LOST = "the connection to the host was lost"
"""So a failure speaks of a host that did not answer any more."""


def mask_of(secrets: Iterable[Any]) -> Callable[[str], str]:
    """Return what puts a mark in the place of each secret. They are of any JSON type; each line of a text
    counts for itself, as the lines of a PEM key do."""
    lines = {line.strip() for text in _texts(secrets) for line in (text, *text.splitlines())}
    longest_first = sorted((line for line in lines if len(line) >= _SHORTEST_SECRET), key=len, reverse=True)

    def mask(text: str) -> str:
        for line in longest_first:
            text = text.replace(line, "[secret]")
        return text

    return mask


class Progress:
    """Follows the events of one playbook."""

    def __init__(self, tell: Callable[..., None], mask: Callable[[str], str]) -> None:
        """tell: called with `kind` and what belongs to it. mask: takes secrets out of text."""
        self._tell = tell
        self._mask = mask
        self.changed: list[str] = []
        self.hidden_changes = 0
        """Changes by tasks that hide their results (no_log): Ansible counts these and names none."""
        self.task = ""
        """The one that was begun last."""
        self.tasks = 0
        self.failure = ""
        """Task and message of the last failure that was not rescued or ignored."""
        self.output: list[str] = []
        """What Ansible said outside of tasks, for failures before the first one."""

    def __call__(self, event: dict[str, Any]) -> bool:
        """Take one event of ansible-runner; return False, so that it writes none to its directory."""
        data = event.get("event_data") or {}
        task = _task(data)
        match event["event"]:
            case "playbook_on_task_start" | "playbook_on_handler_task_start":
                self.task = task
                self._tell("task", task=task)
            case "runner_on_ok":
                self.tasks += 1
                result = data.get("res") or {}
                if result.get("changed"):
                    words = "; ".join(map(str, result.get("told") or ()))
                    what = self._mask(f"{task}: {words}") if words else task
                    self.changed.append(what)
                    self._tell("changed", task=what, seconds=data.get("duration") or 0.0)
            case "playbook_on_stats":
                self.hidden_changes = sum((data.get("changed") or {}).values()) - len(self.changed)
            case "runner_retry":
                retries = (data.get("res") or {}).get("attempts", "?")
                self._tell("task", task=f"{task}: attempt {retries} failed, trying again")
            case "runner_on_failed" if not data.get("ignore_errors"):
                self.failure = self._mask(f"task '{task}': {message_of(data.get('res') or {})}")
                self._tell("trouble", text=self.failure)
            case "runner_on_unreachable":
                reason = " ".join(str((data.get("res") or {}).get("msg") or "").split())
                self.failure = self._mask(f"task '{task}': {LOST}: {reason}")
            case "verbose" | "error" | "warning" if event.get("stdout", "").strip():
                self.output.append(self._mask(event["stdout"].strip()))
                del self.output[:-_TAIL_LINES]
        return False


def message_of(result: dict[str, Any]) -> str:
    """Return why a task failed: the module's message, and the end of what its command said."""
    if "censored" in result:
        return "failed; its output is hidden because it deals with secrets (no_log)"
    failed = [item for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    if failed:
        return "; ".join(f"item {item.get('item', '?')}: {message_of(item)}" for item in failed[:5])
    parts: list[str] = []
    for key in _MESSAGE_KEYS:
        text = str(result.get(key) or "").strip()
        is_too_much = key.endswith("stdout") and len(parts) > 1
        if text and not is_too_much and not any(text in part for part in parts):
            parts.append("\n".join(text.splitlines()[-_TAIL_LINES:]))
    if "rc" in result and parts:
        parts[0] += f" (exit status {result['rc']})"
    return "\n".join(parts) or "failed without a message"


def _task(data: dict[str, Any]) -> str:
    name = data.get("task") or data.get("name") or "?"
    role = data.get("role")
    return name if not role or name.startswith(f"{role} : ") else f"{role} : {name}"


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from _texts(value.values() if isinstance(value, dict) else value)
