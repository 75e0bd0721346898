"""Turn the validator's errors into plain words: what was found, which rule it breaks, how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.advice import Keys, advice, as_label, of_address, of_secret, of_type
from stacks.errors import KeyPath, is_encrypted, value_at
from stacks.introspect import annotations_at, fields_at, required_at
from stacks.model import DNS_LABEL, Model
from stacks.model.base import FILE_PATH, FORMS, REGISTRY, SECRET_NAME
from stacks.wishes import CLOUDS, VALUES_KNOWN_AS, known_as, wish_for

TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}

_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")

BOUNDS = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}


@dataclass(frozen=True)
class ErrorDetail:
    """One error of the validator, with its path as it is in the file."""

    path: KeyPath
    kind: str
    value: Any
    message: str
    context: Mapping[str, Any]
    is_key: bool = False
    written: str = ""
    """A number, a boolean or a date as it stands in the file: 1.30 is not 1.3 there."""

    @property
    def is_type_error(self) -> bool:
        return self.kind in TYPES

    @classmethod
    def of(cls, data: Any, entry: Mapping[str, Any], texts: Mapping[KeyPath, str]) -> ErrorDetail:
        """Take one entry of `ValidationError.errors()`; `data` tells which parts of its place are keys.

        texts: what stands in the file, by path. The validator puts names of union members and a `[key]`
        marker into places; the file has none of these.
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
        written = texts.get(tuple(path), "")
        return cls(tuple(path), entry["type"], value, entry["msg"], entry.get("ctx", {}), is_key, written)

    @property
    def shown(self) -> str:
        """The value in few words, as it stands in the file."""
        return self.written or show(self.value)


def explain(
    model: type[Model], finding: ErrorDetail, all_findings: Iterable[ErrorDetail], data: Any
) -> tuple[str, str, str]:
    """What was found, the rule and the fix of one finding. data: what is declared, to know its kinds."""
    kind, key = finding.kind, str(finding.path[-1]) if finding.path else ""
    got = finding.shown
    if kind == "missing":
        about = fields_at(model, finding.path[:-1], data).get(key)
        return "nothing", f"this key must be there{f': {about}' if about else ''}", f"add `{key}: …`"
    if kind == "extra_forbidden":
        return f"the unknown key '{key}'", *_unknown_key(model, finding.path, data)
    if finding.is_key:
        rule = _rule(finding, finding.message)
        pattern = finding.context.get("pattern")
        host = (
            "; the machine's own host name may stay" if {"nodes", "edges"} & set(finding.path[-2:-1]) else ""
        )
        to = f", for example to /{str(finding.value).strip('/')}" if pattern == FILE_PATH else ""
        fix = f"rename it{_free_label(finding, data) if pattern == DNS_LABEL else to}{host}"
        return f"the name '{finding.value}'", rule, fix
    if finding.is_type_error:
        return _wrong_type(model, finding, all_findings, data)
    if kind == "string_pattern_mismatch":
        pattern = finding.context["pattern"]
        if pattern == SECRET_NAME:
            got = "a text that is no name"  # Perhaps it is the secret itself.
        elif pattern == REGISTRY and "@" in str(finding.value):
            got = "a text with a login in it"
        return got, _rule(finding, f"text that matches {pattern}"), advice(pattern, str(finding.value))
    if kind in ("enum", "literal_error", "union_tag_invalid"):
        return _not_a_choice(finding)
    if kind == "union_tag_not_found":
        rule = "`kind` says what it is: bareMetal or adopted"
        return "a mapping without `kind`", rule, f"add `kind: {_kind_of(finding.value)}`"
    if kind in BOUNDS:
        bound = BOUNDS[kind].format(**finding.context)
        return got, bound, f"write a value that is {bound}"
    if kind == "too_short":
        return got, f"at least {finding.context.get('min_length', 1)} entry", "add one"
    if kind == "string_too_short":
        least = finding.context["min_length"]
        return got or "an empty text", f"{least} characters or more", "write it out, or remove the line"
    if kind == "string_too_long":
        return got, f"at most {finding.context['max_length']} characters", "shorten it"
    said = of_address(str(annotations_at(model, finding.path)), finding.value)
    return (got, *said) if said else (got, finding.message, "write a value of that form")


def _wrong_type(
    model: type[Model], finding: ErrorDetail, all_findings: Iterable[ErrorDetail], data: Any
) -> tuple[str, str, str]:
    same = [other for other in all_findings if other.path == finding.path and other.is_type_error]
    names = list(dict.fromkeys(TYPES[other.kind] for other in same))
    wanted, got = str(annotations_at(model, finding.path)), with_type(finding.value, finding.shown)
    if is_encrypted(finding.value):
        return "a secret", *of_secret(str(finding.path[-1]), is_named=SECRET_NAME in wanted)
    if said := of_address(wanted, finding.value):
        return got, *said
    place = (*finding.path, 0) if "a list" in names else finding.path
    keys = Keys([*fields_at(model, place, data)], required_at(model, place, data))
    about = fields_at(model, finding.path[:-1], data).get(str(finding.path[-1]), "") if finding.path else ""
    if [*keys.known] == ["secret", "secure"] and names == ["a mapping"]:
        return "a text", *of_secret("", is_named=True)
    rule = f"{_alternatives(names)}{f': {about}' if about else ''}"
    least = int(found[1]) if (found := re.search(r"min_length=(\d+)", wanted)) else 0
    return got, rule, of_type(names, finding.value, finding.shown, keys, about, least)


def _not_a_choice(finding: ErrorDetail) -> tuple[str, str, str]:
    tag = finding.kind == "union_tag_invalid"
    allowed = re.findall(r"'([^']*)'", finding.context["expected_tags" if tag else "expected"])
    word = str(finding.context["tag"] if tag else finding.value)
    if tag and word.lower() in CLOUDS.values.split():
        return word, CLOUDS.rule, CLOUDS.until
    rule = f"{'kind is ' if tag else ''}one of: {', '.join(allowed)}"
    if (meant := VALUES_KNOWN_AS.get(word.lower())) in allowed:
        return word, rule, f"write {meant}"
    return word if tag else finding.shown, rule, suggestion(word, allowed, f"write {_alternatives(allowed)}")


def _unknown_key(model: type[Model], path: KeyPath, data: Any) -> tuple[str, str]:
    """The rule that an unknown key breaks, and what to do: it may be meant for another place."""
    key, place = str(path[-1]), path[:-1]
    own = fields_at(model, place, data)
    rule = f"keys here are: {', '.join(sorted(own))}"
    if key in fields_at(model, place):
        # Of a union of kinds, another one has it.
        there = _below_at(data, place)
        said, slices = there.get("kind"), [there.get(name) for name in ("podCidr", "serviceCidr")]
        pods, services = (slice_ if isinstance(slice_, str) else "…" for slice_ in slices)
        fix = OF_ANOTHER_KIND.get(key, "remove it").format(region=place[-2], pods=pods, services=services)
        return f"a cluster of kind {said} has no such key; {rule}", fix
    within, meant = known_as(key)
    there = _below_at(data, place)
    if meant != key and meant in own and meant not in there and within in ("", *place[-1:]):
        return rule, f"write it as `{meant}`"
    if wish := wish_for(key):
        return wish.rule, wish.until
    holders = [name for name in own if within in ("", name)]
    if inner := [name for name in holders if meant in fields_at(model, (*place, name), data)]:
        named = "it" if meant == key else f"`{meant}`"
        return rule, f"write {named} under `{'` or `'.join(inner)}`"
    if len(place) > 1 and key in fields_at(model, place[:-1], data):
        return rule, f"write it one level up, beside `{place[-1]}`"
    if deeper := [name for name in own if key in fields_at(model, (*place, name, "NAME"))]:
        return rule, f"write it under `{deeper[0]}.NAME`"
    near = suggestion(key, sorted(own), "remove it")
    known = next((name for name in there if f"'{name}'" in near), "")
    return rule, f"remove it; `{known}` is there already" if known else near


OF_ANOTHER_KIND = {
    "podCidr": "write the range that it is to have into the ledger, before it is built: "
    "`crossmesh:ledger: {{clusters: {{{region}: {{pods: {pods}, services: {services}}}}}}}`",
    "nodes": "remove it: an adopted cluster's machines are not touched",
    "kubernetesVersion": "write it under `versions` of the region: `versions: {kubernetes: …}`",
    "kubeconfigSecret": "remove it: the kubeconfig of a cluster on bare metal is made",
}
"""What to do with a key of a cluster that clusters of another kind have."""
OF_ANOTHER_KIND["serviceCidr"] = OF_ANOTHER_KIND["podCidr"]


def _kind_of(value: Any) -> str:
    """The kind of cluster that a mapping without one is, by its other keys."""
    adopted = {"kubeconfigSecret", "podCidr", "serviceCidr", "kubernetesVersion"}
    return "adopted" if isinstance(value, dict) and adopted & set(value) else "bareMetal"


def _free_label(finding: ErrorDetail, data: Any) -> str:
    """An example of a name that is a label and that no other entry beside it has."""
    label = as_label(str(finding.value))
    beside = _below_at(data, finding.path[:-1])
    return f", for example to {label}" if label and label not in beside else ""


def _below_at(data: Any, path: KeyPath) -> dict[str, Any]:
    found = value_at(data, path)
    return found if isinstance(found, dict) else {}


def _rule(finding: ErrorDetail, otherwise: str) -> str:
    """What a text has to be, by its pattern."""
    form = FORMS.get(str(finding.context.get("pattern")))
    return form[1] if form else otherwise


def suggestion(text: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean …?` where a known word is near, also over case, `_` and `-`; else the other advice."""
    words = list(known)
    plain = {re.sub(r"[-_]", "", word).lower(): word for word in words}
    near = difflib.get_close_matches(re.sub(r"[-_]", "", text).lower(), plain, n=1, cutoff=0.6)
    return f"did you mean '{plain[near[0]]}'?" if near else otherwise


def show(value: Any) -> str:
    """A value in few words, for an error. Never the text of a key, or a password in a URL."""
    if isinstance(value, dict):
        return f"a mapping of {', '.join(map(str, value))}"[:80] if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = _PASSWORD.sub(r"\1…@", str(value))
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


def with_type(value: Any, shown: str) -> str:
    """What was found, with its type where that is not said already."""
    return shown if value and isinstance(value, (dict, list)) else f"{shown} ({type_name(value)})"


def _alternatives(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
