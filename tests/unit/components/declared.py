"""A declaration with a value for as many keys as one can have, and what of it the gate compares."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from components.platform import Platform
from playbooks.provider.sdk import RUN
from stacks.given import Given
from stacks.ledger import Ledger, assign
from stacks.load import Stack
from stacks.model import Environment
from stacks.named_secrets import named_secrets
from tests.unit.components import support

FILE = Path(__file__).with_name("declared.yaml")


def declaration() -> Any:
    return yaml.safe_load(FILE.read_text())


def stack_of(declared: Any) -> Stack:
    """A stack of it, with the slices that it would have had before."""
    environment = Environment.model_validate(declared)
    there = assign(Environment.model_validate(declaration()), Ledger())
    ledger = assign(environment, there)
    return replace(support.reference_stack(), environment=environment, ledger=ledger)


def changed(declared: Any, path: str, value: Any) -> Any:
    """The declaration with another value at a path; None takes out what is there."""
    found = copy.deepcopy(declared)
    *parents, last = keys(path)
    place = found
    for part in parents:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return found


def keys(path: str) -> list[str | int]:
    """What a path leads through: `a.0.b`; of a key with dots in it, `a.<x.y>`."""
    found = re.findall(r"<([^>]*)>|([^.]+)", path)
    return [quoted or (int(plain) if plain.isdigit() else plain) for quoted, plain in found]


def built(stack: Stack) -> dict[str, support.Registered]:
    """All that is built of a stack."""
    kubeconfigs = dict.fromkeys(secrets_of(stack), support.KUBECONFIG)
    secrets = {name: f"user:{name}" for _, name, _ in named_secrets(stack.environment)}
    found = support.run(
        lambda: (
            Platform(
                "lab",
                stack,
                "root key",
                kubeconfigs=kubeconfigs,
                secrets=secrets,
                encrypted=_encrypted(stack),
                given=given_of(stack),
            ).outputs
        ),
        preview=False,
    )
    return found.resources


def given_of(stack: Stack) -> dict[str, Given]:
    """The certificates that the declaration gives, as if each text were what names it."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = {}
    for name, spec in stack.environment.certificates.items():
        given = spec.given
        found[name] = Given(
            chain=f"{given.certificate} {given.chain}",
            private_key=f"{given.private_key}",
            ca=given.ca or "",
            anchor="root",
            authorities=("root",),
            subject="CN=shop",
            issuer="CN=issuer",
            serial="1",
            names=spec.hosts,
            not_before=start,
            not_after=start + timedelta(days=365),
        )
    return found


def compared(registered: dict[str, support.Registered]) -> Any:
    """What the engine compares with what was applied, and so the gate: not what is told of one run alone."""
    return {
        urn: {name: value for name, value in each.inputs.items() if name != RUN}
        for urn, each in registered.items()
    }


def _encrypted(stack: Stack) -> Any:
    """The declaration as the engine gives it to the program: a text in the place of what is encrypted."""
    environment = stack.environment.model_dump(mode="json", by_alias=True)
    for application in environment["applications"].values():
        variables = application["environment"]
        application["environment"] = {
            key: text if isinstance(text, str) else text["secure"] for key, text in variables.items()
        }
    return environment


def secrets_of(stack: Stack) -> dict[str, str]:
    """As `__main__.py` reads them: the name of the secret that holds an adopted cluster's kubeconfig."""
    return {
        name: region.cluster.kubeconfig_secret
        for name, region in stack.environment.regions.items()
        if region.cluster.kind == "adopted"
    }


def plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
