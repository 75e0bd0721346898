"""The `pulumi` command line, as far as operators' verbs need it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.paths import project_root
from report.errors import ConfigurationError, PulumiError

_ENVIRONMENT_HINT = 'Activate the project\'s environment first: eval "$(make -s env)".'
_LOGIN_HINT = (
    "Name the backend (`pulumi login URL`, or PULUMI_BACKEND_URL) and what opens the stack's secrets\n"
    '(PULUMI_CONFIG_PASSPHRASE_FILE, or the provider\'s own). Those of the lab: eval "$(make -s lab-env)".'
)


@dataclass(frozen=True)
class Completed:
    """What a `pulumi` command answered."""

    returncode: int
    stdout: str
    stderr: str


def pulumi(
    *arguments: str,
    stdin: str | None = None,
    timeout: float = 60,
    check: bool = True,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run `pulumi ARGUMENTS` in `directory` (the project's by default), never interactively.

    `timeout` is in seconds, `environment` instead of this process's. Secrets go in by `stdin`, never by
    `arguments`. Raises `PulumiError` with pulumi's own message when `check` is set and it fails,
    `ConfigurationError` when there is no `pulumi` on PATH.
    """
    program = shutil.which("pulumi")
    if program is None:
        raise ConfigurationError(f"pulumi is not on PATH. {_ENVIRONMENT_HINT}")
    command = [program, "--non-interactive", "--color=never", *arguments]
    shown = "pulumi " + " ".join(arguments)
    try:
        done = subprocess.run(
            command,
            cwd=directory or project_root(),
            env=environment,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PulumiError(f"`{shown}` did not end within {timeout:.0f} s.") from error
    if check and done.returncode != 0:
        raise PulumiError(_message(shown, done.returncode, done.stderr or done.stdout))
    return Completed(done.returncode, done.stdout, done.stderr)


def _message(shown: str, code: int, words: str) -> str:
    words = words.strip()
    hint = ""
    if "passphrase" in words or "could not determine current" in words or "pulumi login" in words:
        hint = f"\n{_LOGIN_HINT}"
    return f"`{shown}` failed (exit code {code}):\n{words}{hint}"


def stack_exists(stack: str) -> bool:
    """Whether the backend knows the stack."""
    listed: list[dict[str, Any]] = json.loads(pulumi("stack", "ls", "--json").stdout)
    return any(entry["name"].split("/")[-1] == stack for entry in listed)


def stack_outputs(stack: str) -> dict[str, Any]:
    """All outputs of the stack, secrets in clear. Raises `PulumiError` if the stack does not exist."""
    return dict(json.loads(pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack).stdout))


def stack_resources(stack: str) -> list[dict[str, Any]]:
    """Resources of the stack's state; secrets stay encrypted."""
    exported = json.loads(pulumi("stack", "export", "--stack", stack).stdout)
    return list((exported.get("deployment") or {}).get("resources") or ())


def backend_url() -> str:
    """URL of the state backend that `pulumi` is logged in to."""
    return str(json.loads(pulumi("whoami", "--json").stdout)["url"])
