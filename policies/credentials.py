"""Credentials are in Secrets, not in what everybody may read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.objects import Object, at, containers, items, kind_of, pod_template

_WORDS = (
    "ACCESS[_-]?KEY|API[_-]?KEY|AUTH[_-]?KEY|CREDENTIALS?|PASS[_-]?PHRASE|PASSWD|PASSWORD|PRIVATE[_-]?KEY|"
    "SECRET|SECRET[_-]?KEY|TOKEN"
)
_NAME = re.compile(rf"(?:^|[^A-Z0-9])(?:{_WORDS})$", re.IGNORECASE)
"""Names of values that are credentials themselves. `TOKEN_FILE` or `SECRET_NAME` only lead to one."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@", re.IGNORECASE)


def _validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if kind_of(args.resource_type) == "ConfigMap":
        data = at(args.props, "data")
        for name in data:
            for why in _reasons(name, data):
                report(f"data.{name} {why}", None)
        return
    template = pod_template(args.resource_type, args.props)
    if template is None:
        return
    for what, container in containers(at(template, "spec")):
        for variable in items(container, "env"):
            if "value" in variable:
                name = str(variable.get("name"))
                for why in _reasons(name, variable, "value"):
                    report(f"{what}: the variable {name} {why}", None)


def _reasons(name: str, holder: Object, key: str | None = None) -> Iterator[str]:
    """Why a named value is a credential. The value itself is never told."""
    if is_credential(name):
        # By its name alone: a value that is known only later is none the better for it.
        if key is None or holder.get(key) != "":
            yield "is a credential by its name"
        return
    value = str(holder[key or name])
    if _PRIVATE_KEY.search(value):
        yield "holds a private key"
    elif _IN_URL.search(value):
        yield "holds a URL with a password"


def is_credential(name: str) -> bool:
    """Whether a value of that name is a credential, in any of the usual spellings."""
    return bool(_NAME.search(_CAMEL.sub("_", name)))


POLICY = ResourceValidationPolicy(
    name="no-plain-credentials",
    description="No credential is in a ConfigMap or written into a variable",
    validate=_validate,
    enforcement_level=EnforcementLevel.MANDATORY,
    remediation_steps=(
        "ConfigMaps and pods are read by many and end up in the stack file, in its history and in logs. Put "
        "the value into a Secret and name it by valueFrom.secretKeyRef, or mount it as a file."
    ),
)
