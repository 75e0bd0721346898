"""What the engine says when it does not even begin, as errors with exit codes of their own."""

from __future__ import annotations

import re

from report.errors import AuthenticationError, LockedError, OperationsError, PreviewError, StackNotFoundError

_LOG_IN = (
    "Name the backend (`pulumi login URL`, or PULUMI_BACKEND_URL) and what opens the stack's secrets "
    '(PULUMI_CONFIG_PASSPHRASE_FILE, or the provider\'s own). Those of the lab: `eval "$(make -s lab-env)"`.'
)
_WAY_BACK = (
    "The state cannot be read. A file backend keeps the one before beside it, as STACK.json.bak: compare the "
    "two, put the good one in its place, and see by `pulumi refresh --preview-only` what it does not know. "
    "`crossmesh gate --hermetic` does without the state."
)
_MAKE = "`crossmesh secrets init --stack NAME` makes it."

_NO_WAY_IN = r"passphrase|PULUMI_ACCESS_TOKEN|pulumi login|could not determine current|failed to decrypt"
_KNOWN: tuple[tuple[re.Pattern[str], type[OperationsError], str], ...] = (
    (re.compile(_NO_WAY_IN, re.I), AuthenticationError, _LOG_IN),
    (re.compile(r"no stack named|stack '[^']*' not found", re.I), StackNotFoundError, _MAKE),
    (re.compile(r"currently locked|another update is currently in progress", re.I), LockedError, ""),
    (
        re.compile(r"unexpected end of JSON|invalid character|could not deserialize|checkpoint", re.I),
        PreviewError,
        _WAY_BACK,
    ),
)
"""What its words mean, and what to do about it; the first that fits."""
_NOWHERE = re.compile(r"PULUMI_ACCESS_TOKEN must be set for login", re.I)


def known(words: str, message: str) -> OperationsError | None:
    """The error that the engine's words stand for, with this message; None if they are none of the known."""
    fitting = (error(message, fix=fix) for pattern, error, fix in _KNOWN if pattern.search(words))
    return next(fitting, None)


def no_backend(words: str) -> bool:
    """Whether the engine was never told of a backend."""
    return bool(_NOWHERE.search(words))
