"""What an API server takes as its audit policy, asked before a host is touched: it ends over any other.

What is held against it is what `k8s.io/apiserver` itself asks of a policy (`pkg/apis/audit/validation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

_GROUP = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_KIND = ("audit.k8s.io/v1", "Policy")
_LEVELS = ("None", "Metadata", "Request", "RequestResponse")
_STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_FIELDS = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
_LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages")
_OF_RULE = ("level", "resources", "omitManagedFields", *_LISTS)
_OF_RESOURCES = ("group", "resources", "resourceNames")


def complaints(file: Path) -> list[str]:
    """What is wrong with the policy in a file, in words; nothing where it is one."""
    try:
        policy = YAML(typ="safe", pure=True).load(file.read_text())
    except (YAMLError, UnicodeDecodeError) as error:
        return [f"no YAML: {str(error).splitlines()[0]}"]
    if not isinstance(policy, dict) or (policy.get("apiVersion"), policy.get("kind")) != _KIND:
        return [f"no audit policy: it begins with `apiVersion: {_KIND[0]}` and `kind: {_KIND[1]}`"]
    return list(_of_policy(policy))


def _of_policy(policy: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("", policy, _FIELDS)
    yield from _stages("omitStages", policy.get("omitStages"))
    rules = policy.get("rules")
    if not isinstance(rules, list) or not rules:
        yield "rules: it needs at least one"
        return
    for index, rule in enumerate(rules):
        at = f"rules[{index}]"
        if isinstance(rule, dict):
            yield from _of_rule(at, rule)
        else:
            yield f"{at}: a rule is a mapping with `level`"


def _of_rule(at: str, rule: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(at, rule, _OF_RULE)
    if rule.get("level") not in _LEVELS:
        yield f"{at}.level: one of {', '.join(_LEVELS)}"
    for name in _LISTS:
        if rule.get(name) is not None and not _are_texts(rule[name]):
            yield f"{at}.{name}: a list of texts"
            return
    yield from _stages(f"{at}.omitStages", rule.get("omitStages"))
    urls = rule.get("nonResourceURLs") or []
    if urls and (rule.get("resources") or rule.get("namespaces")):
        yield f"{at}: nonResourceURLs stand without resources and namespaces"
    for url in urls:
        if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
            yield f"{at}.nonResourceURLs: {url} is no path that begins with /, with * at its end at most"
    yield from _of_resources(f"{at}.resources", rule.get("resources"))


def _of_resources(at: str, resources: Any) -> Iterator[str]:
    if resources is None:
        return
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        yield f"{at}: a list of mappings with `group` and `resources`"
        return
    for each in resources:
        yield from _unknown(at, each, _OF_RESOURCES)
        group = each.get("group") or ""
        if not isinstance(group, str) or (group and not _GROUP.match(group)):
            yield f"{at}: {group} is no group's name, which has no version; the core's is the empty text"
        named = each.get("resources")
        if named is not None and not _are_texts(named):
            yield f"{at}.resources: a list of texts"
        if each.get("resourceNames") and not named:
            yield f"{at}: resourceNames stand with resources"


def _stages(at: str, stages: Any) -> Iterator[str]:
    if stages is not None and not (_are_texts(stages) and set(stages) <= set(_STAGES)):
        yield f"{at}: of {', '.join(_STAGES)}"


def _unknown(at: str, mapping: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in mapping:
        if key not in known:
            yield f"{at}{'.' if at else ''}{key}: no such field; there are {', '.join(known)}"


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
