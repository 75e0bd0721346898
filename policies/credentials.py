"""Credentials are in Secrets, not in what everybody may read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.objects import Object, at, containers, items, kind_of, pod_template
from policies.policy import of_object

_WORDS = (
    "ACCESS[_-]?KEY|API[_-]?KEY|AUTH[_-]?KEY|CREDENTIALS?|PASS[_-]?PHRASE|PASSWD|PASSWORD|PRIVATE[_-]?KEY|"
    "SECRET|SECRET[_-]?KEY|TOKEN"
)
_NAME = re.compile(rf"(?:^|[^A-Z0-9])(?:{_WORDS})$", re.IGNORECASE)
"""Names of values that are credentials themselves. `TOKEN_FILE` or `SECRET_NAME` only lead to one."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@", re.IGNORECASE)


def _find(type: str, props: Object) -> Iterator[str]:
    if kind_of(type) == "ConfigMap":
        data = at(props, "data")
        for name in data:
            if why := _reason(name, data):
                yield f"data.{name} {why}"
    for what, container in containers(at(pod_template(type, props), "spec")):
        for variable in items(container, "env"):
            name = str(variable.get("name"))
            if "value" in variable and (why := _reason(name, variable, "value")):
                yield f"{what}: the variable {name} {why}"


def _reason(name: str, holder: Object, key: str | None = None) -> str:
    """Why a named value is a credential; empty if it is none. The value itself is never told."""
    if is_credential(name):
        # By its name alone: a value that is known only later is none the better for it.
        return "is a credential by its name" if key is None or holder.get(key) != "" else ""
    value = str(holder[key or name])
    if _PRIVATE_KEY.search(value):
        return "holds a private key"
    return "holds a URL with a password" if _IN_URL.search(value) else ""


def is_credential(name: str) -> bool:
    """Whether a value of that name is a credential, in any of the usual spellings."""
    return bool(_NAME.search(_CAMEL.sub("_", name)))


POLICY = of_object(
    "no-plain-credentials",
    "No credential is in a ConfigMap or written into a variable",
    "ConfigMaps and pods are read by many, and stack files have a history. Take the value for known, set "
    "another by `pulumi config set --secret NAME`, and write {secret: NAME} in its place in `environment` or "
    "`files` of the application. In objects that come another way, name a Secret by valueFrom.secretKeyRef.",
    _find,
)
