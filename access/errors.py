"""What stands between this machine and what is live: one vocabulary for clusters and hosts."""

from __future__ import annotations

from collections.abc import Iterator

from report.errors import OperationsError

REFUSED = "does not accept the kubeconfig's credentials"
"""What is said of a cluster that answers 401."""


class AccessError(OperationsError):
    """A cluster or a host cannot be used. Said are what, where and why; `fix` is how to go on."""


class Unanswered(AccessError):
    """No answer, or none that says anything: for a reason that may pass."""


class NotAllowed(AccessError):
    """The credentials are good, and not for this."""


class CredentialsRefused(AccessError):
    """The credentials are wrong, withdrawn, expired, or cannot be used."""


class IdentityMismatch(AccessError):
    """What answers cannot show that it is what was asked for: nothing was sent to it."""


class Missing(AccessError):
    """The API server has no such object."""


class Conflict(AccessError):
    """The object is there already, or was changed meanwhile."""


STARTING = (Unanswered, NotAllowed)
"""What an API server that has just been started answers: its own rights come last."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
