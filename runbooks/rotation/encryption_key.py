"""Rotate the key by which a cluster's Secrets are encrypted in etcd, in stages.

Order of the stages: Kubernetes, "Encrypting Confidential Data at Rest", section "Rotate a decryption key".
Each of them is an edit of `encryptionKeys` and an `up`, which brings it to all control planes; what could
leave a Secret that some API server cannot read is refused on hosts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from access import ssh
from access.errors import AccessError
from live.state import State, read_state
from playbooks.work.clusters import API_PORT
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.control_plane import control_plane, on_machines
from runbooks.etcd import encryption
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.rotation.site import StagedSite, added, back, first, was

_REGION = Parameter("region", "name of the region whose cluster gets another key of Secrets")
_NUMBER = Parameter("number", "number of the new key: one more than that of the last one")
_SECONDS = 600.0
"""For all Secrets to be written anew: some thousands a minute."""


class KeySite(StagedSite):
    """The control plane of a cluster, and its keys of Secrets."""

    def declared(self) -> list[int]:
        return list(self.spec.encryption_keys)

    def state(self) -> State:
        """The stack's state."""
        return read_state(self.stack_name)

    def names(self) -> dict[int, str]:
        """Names of all keys that the stack has for the cluster, by number."""
        return encryption.numbered(self.state(), self.region)

    def order(self, host: str) -> list[str]:
        """Names of the keys that a host's API server goes by, in their order. Raises OperationsError."""
        return encryption.order(lambda script: self._on_host(host, script))

    def stored(self) -> dict[str, int]:
        """How many Secrets etcd has by which key. Raises OperationsError."""
        return encryption.stored(next(iter(self.control.items())))

    def rewrite(self) -> str:
        """Have all Secrets written anew; return in words what that was. Raises OperationsError."""
        return encryption.rewritten(next(iter(self.control.items())), API_PORT, _SECONDS)

    def _on_host(self, host: str, script: str) -> str:
        done = ssh.run(host, self.control[host], ["sh", "-euc", script])
        if done.returncode:
            raise OperationsError(f"{host}: {done.stderr.strip() or 'it said nothing'}")
        return done.stdout


@contextmanager
def _opened(stack_name: str, values: Mapping[str, str]) -> Iterator[KeySite]:
    region, number = values["region"], values["number"]
    if not number.isdigit() or int(number) < 1:
        raise ConfigurationError(
            f"number={number} is no number of a key", fix="give a whole number from 2 on"
        )
    stack, spec = on_machines(stack_name, region, "its keys are")
    yield KeySite(stack_name, region, int(number), "encryptionKeys", dict(control_plane(stack, spec)))


def _new(site: KeySite) -> str:
    """Name of the new key; empty before it was made."""
    return site.names().get(site.number, "")


def _lacking(site: KeySite, lacks: Any) -> str:
    """What is lacking on hosts. lacks: says it of one, by the name of the new key and the host's order."""
    name = _new(site)
    if not name:
        return f"key {site.number} is not made yet"
    words = (lacks(name, host, site.order(host)) for host in site.control)
    return "; ".join(filter(None, words))


def _unread(site: KeySite) -> str:
    if site.number not in site.declared():
        return f"key {site.number} is not declared"
    return _lacking(
        site, lambda name, host, order: "" if name in order else f"{host} has no key {site.number} yet"
    )


def _unwritten(site: KeySite) -> str:
    if site.declared()[0] != site.number:
        return f"Secrets are declared to be written by key {site.declared()[0]}"
    return _lacking(
        site,
        lambda name, host, order: "" if order[:1] == [name] else f"{host} writes Secrets by {order[0]}",
    )


def _left(site: KeySite) -> str:
    """Secrets that etcd has by another key."""
    name = _new(site)
    if not name:
        return f"key {site.number} is not made yet"
    others = {key: number for key, number in sorted(site.stored().items()) if key != name}
    words = ", ".join(f"{number} by {key}" for key, number in others.items())
    return f"etcd has Secrets by other keys: {words}" if words else ""


def _prove(site: KeySite) -> None:
    site.tell(site.rewrite())


def _not_alone(site: KeySite) -> str:
    if site.declared() != [site.number]:
        return f"other keys are declared beside it: {site.declared()}"
    plain = encryption.PLAIN

    def more(name: str, host: str, order: list[str]) -> str:
        others = [key for key in order if key not in (name, plain)]
        return f"{host} still has {', '.join(others)}" if others else ""

    return _lacking(site, more)


def _stored_elsewhere(site: KeySite) -> list[Problem]:
    left = _left(site)
    return [Problem(left, "`crossmesh runbook resume` writes them anew")] if left else []


def _fits(site: KeySite) -> list[Problem]:
    there, made = site.declared(), site.names()
    following = max((*there, *made), default=1) + 1
    if site.number not in there and site.number != following:
        what = "was used before" if site.number < following else "leaves numbers out"
        return [Problem(f"number {site.number} {what}", f"give number={following}")]
    found = []
    if not site.spec.encryption_at_rest:
        found.append(
            Problem(
                f"Secrets of {site.region} are not encrypted (`encryptionAtRest: false`): no key is in use",
                "take `encryptionAtRest` out of the declaration, and bring it about",
            )
        )
    for host in site.control:
        try:
            site.order(host)
        except (AccessError, OperationsError) as error:
            found.append(
                Problem(error.message, error.fix or "each control plane has to get the key before it is used")
            )
    return found or site.unapplied()


def _blast(site: KeySite) -> Blast:
    there = site.declared()
    old = [number for number in there if number != site.number]
    if not old:
        return Blast(site.region, [f"nothing: key {site.number} is the only one already"])
    hosts = ", ".join(site.control)
    return Blast(
        site.region,
        [
            f"the declaration: {'.'.join(site.path)} goes from {there} to {[site.number]}, to be committed",
            f"API servers of {hosts} start anew three times, one after the other",
            "each Secret is written anew as it is: who watches them hears of each once",
            f"hosts lose key {', '.join(map(str, old))}; the stack keeps it, for backups that need it",
        ],
    )


def _tell_end(site: KeySite) -> list[Problem]:
    site.tell(
        "commit the stack file. A backup from before needs the old key: take one now (`crossmesh runbook run "
        f"backup-etcd region={site.region}`)"
    )
    return []


def _nothing(site: KeySite, before: Facts) -> None:
    """Secrets that were written anew are read by either key."""


ROTATE_KEY = Runbook(
    name="rotate-encryption-key",
    title="Encrypt a cluster's Secrets by another key",
    says="For a key that somebody may have, or that is as old as a rule allows. The stack makes the new key, "
    "which comes to all control planes before any writes by it; then every Secret is written anew, which "
    "etcd itself has to show before the old key is taken out. Each stage is a change of `encryptionKeys` "
    "in the stack file and a `pulumi up`, so that an `up` afterwards changes nothing. The old key stays in "
    "the stack's state: backups from before need it.",
    parameters=(_REGION, _NUMBER),
    opened=_opened,
    blast=_blast,
    preconditions=_fits,
    # Each stage is one in which the cluster may stay; what failed is mended, and the run goes on.
    takes_back=False,
    steps=(
        Step(
            "read",
            "give the new key to all control planes, as one that they read by",
            do=lambda site: site.bring_about(added(site)),
            verify=_unread,
            before=was,
            undo=back,
        ),
        Step(
            "write",
            "have all control planes write by the new key, and every Secret written anew",
            do=lambda site: site.bring_about(first(site)),
            verify=_unwritten,
            before=was,
            undo=back,
        ),
        Step(
            "prove",
            "see in etcd that no Secret is stored by another key; write anew what is",
            do=_prove,
            verify=_left,
            undo=_nothing,
        ),
        Step(
            "retire",
            "take the old key from all control planes",
            do=lambda site: site.bring_about([site.number]),
            verify=_not_alone,
            check=_stored_elsewhere,
            before=was,
            undo=back,
        ),
    ),
    postconditions=_tell_end,
)
