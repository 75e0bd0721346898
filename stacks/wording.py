"""Turn the validator's errors into plain words: what was found, which rule it breaks, how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from stacks.errors import KeyPath
from stacks.introspect import annotations_at, fields_at
from stacks.model import DNS_LABEL, Model
from stacks.model.base import FORMS

TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}

BOUNDS = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}


@dataclass(frozen=True)
class Finding:
    """One error of the validator, with its path as it is in the file."""

    path: KeyPath
    kind: str
    value: Any
    message: str
    context: Mapping[str, Any]
    is_key: bool = False

    @property
    def is_type_error(self) -> bool:
        return self.kind in TYPES

    @classmethod
    def of(cls, data: Any, entry: Mapping[str, Any]) -> Finding:
        """Take one entry of `ValidationError.errors()`; `data` tells which parts of its place are keys.

        The validator puts names of union members and a `[key]` marker into places; the file has none of
        these.
        """
        path: list[str | int] = []
        here, located = data, list(entry["loc"])
        is_key = bool(located) and located[-1] == "[key]"
        for index, part in enumerate(located):
            if part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int):
                path.append(part)
                here = here[part]
            elif entry["type"] == "missing" and index == len(located) - 1:
                path.append(part)
        if entry["type"] == "union_tag_invalid":
            path.append("kind")
        value = entry["input"]
        return cls(tuple(path), entry["type"], value, entry["msg"], entry.get("ctx", {}), is_key)


def explain(model: type[Model], finding: Finding, all_findings: Iterable[Finding]) -> tuple[str, str, str]:
    """What was found, the rule and the fix of one finding."""
    kind, key = finding.kind, str(finding.path[-1]) if finding.path else ""
    if kind == "missing":
        about = fields_at(model, finding.path[:-1]).get(key)
        return "nothing", f"this key must be there{f': {about}' if about else ''}", f"add `{key}: …`"
    if kind == "extra_forbidden":
        keys = sorted(fields_at(model, finding.path[:-1]))
        fix = suggestion(key, keys, "remove it")
        return f"the unknown key '{key}'", f"keys here are: {', '.join(keys)}", fix
    if finding.is_key:
        fix = f"rename it{_as_label(str(finding.value))}"
        return f"the name '{finding.value}'", _rule(finding, finding.message), fix
    got = show(finding.value)
    if finding.is_type_error:
        same = [other for other in all_findings if other.path == finding.path and other.is_type_error]
        names = list(dict.fromkeys(TYPES[other.kind] for other in same))
        return f"{got} ({type_name(finding.value)})", _alternatives(names), _type_fix(names, finding.value)
    if kind == "string_pattern_mismatch":
        pattern = finding.context["pattern"]
        label = pattern == DNS_LABEL
        fix = f"change it{_as_label(finding.value)}" if label else "change it to such a value"
        return got, _rule(finding, f"text that matches {pattern}"), fix
    if kind in ("enum", "literal_error", "union_tag_invalid"):
        tag = kind == "union_tag_invalid"
        allowed = re.findall(r"'([^']*)'", finding.context["expected_tags" if tag else "expected"])
        word = str(finding.context["tag"] if tag else finding.value)
        fix = suggestion(word, allowed, f"write {allowed[0]}")
        return word if tag else got, f"{'kind is ' if tag else ''}one of: {', '.join(allowed)}", fix
    if kind == "union_tag_not_found":
        rule = "`kind` says what it is: bareMetal or adopted"
        return "a mapping without `kind`", rule, "add `kind: bareMetal`"
    if kind in BOUNDS:
        bound = BOUNDS[kind].format(**finding.context)
        return got, bound, f"write a value that is {bound}"
    if kind == "too_short":
        return got, f"at least {finding.context.get('min_length', 1)} entry", "add one"
    if kind == "string_too_long":
        return got, f"at most {finding.context['max_length']} characters", "shorten it"
    return _address(model, finding) or (got, finding.message, "change it to such a value")


def _rule(finding: Finding, otherwise: str) -> str:
    """What a text has to be, by its pattern."""
    form = FORMS.get(str(finding.context.get("pattern")))
    return form[1] if form else otherwise


def _address(model: type[Model], finding: Finding) -> tuple[str, str, str] | None:
    """IPv4 addresses and networks, whose errors come from the standard library."""
    text, got = str(finding.value), show(finding.value)
    wanted = str(annotations_at(model, finding.path))
    if "IPv4Network" in wanted:
        rule = "an IPv4 network in CIDR notation, with no bits set behind the prefix"
        try:
            return got, rule, f"write {IPv4Network(text, strict=False)}"
        except ValueError:
            return got, rule, "write for example 172.30.0.0/16"
    if "IPv4Address" in wanted:
        return got, "an IPv4 address: four numbers from 0 to 255, with dots", "write for example 192.0.2.11"
    return None


def suggestion(text: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean …?` where a known word is near, also over case, `_` and `-`; else the other advice."""
    words = list(known)
    plain = {re.sub(r"[-_]", "", word).lower(): word for word in words}
    near = difflib.get_close_matches(re.sub(r"[-_]", "", text).lower(), plain, n=1, cutoff=0.6)
    return f"did you mean '{plain[near[0]]}'?" if near else otherwise


def show(value: Any) -> str:
    """A value in few words, for an error. Never the text of a key."""
    if isinstance(value, dict):
        return f"a mapping of {', '.join(map(str, value))}"[:80] if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if "PRIVATE KEY" in text:
        return "the text of a private key"
    return text if len(text) <= 80 else text[:77] + "…"


def type_name(value: Any) -> str:
    """What a value is, in the words of `TYPES`."""
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        dict: "a mapping",
        list: "a list",
    }
    return "an empty value" if value is None else names.get(type(value), type(value).__name__)


def _alternatives(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _type_fix(wanted: list[str], value: Any) -> str:
    if "text" in wanted and isinstance(value, (int, float)):
        return f'put it in quotes: "{show(value)}"'
    if wanted == ["a whole number"] and isinstance(value, str) and value.strip().isdigit():
        return f"write it without quotes: {value.strip()}"
    return f"write {wanted[0]}"


def _as_label(text: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return f", for example to {label}" if label and label != text else ""
