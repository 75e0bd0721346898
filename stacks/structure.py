"""The outer shape of a stack file.

What lies beside the environment and the ledger, and which secrets there are.
"""

from __future__ import annotations

from typing import Any

from stacks.errors import ENVIRONMENT, LEDGER, KeyPath, Problem
from stacks.positions import Document
from stacks.wording import show, suggestion, type_name

OWN = "crossmesh:"
ENVIRONMENT_KEY, LEDGER_KEY = str(ENVIRONMENT[-1]), str(LEDGER[-1])
TOP_LEVEL = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
DISABLED: KeyPath = ("config", "pulumi:disable-default-providers")


def check_top_level(document: Document) -> frozenset[str]:
    """Check what surrounds the declaration; problems go to `document.problems`.

    Returns the names of the encrypted secrets under `crossmesh:`. Values of secrets are never read.
    """

    def problem(path: KeyPath, got: str, rule: str, fix: str) -> None:
        document.problems.append(Problem(document.line(path), path, got, rule, fix))

    if not isinstance(document.data, dict):
        problem(
            (),
            "an empty file" if document.data is None else type_name(document.data),
            "a stack file is a mapping with the key `config`",
            "copy another stack file and change it",
        )
        return frozenset()
    for key in document.data:
        if key not in TOP_LEVEL:
            problem(
                (key,),
                f"the unknown key '{key}'",
                f"keys here are: {', '.join(TOP_LEVEL)}",
                suggestion(key, TOP_LEVEL, "put it under `config:`, or remove it"),
            )
    config = document.data.get("config")
    if not isinstance(config, dict):
        if any(suggestion(key, ["config"], "") for key in document.data if key not in TOP_LEVEL):
            return frozenset()  # said above
        problem(
            ("config",),
            show(config),
            "`config` is a mapping that holds `crossmesh:environment`",
            "declare the environment under `config:`",
        )
        return frozenset()
    _check_providers(document, config, problem)
    if ENVIRONMENT_KEY not in config:
        if any(_is_misspelt(key, value) for key, value in config.items()):
            return frozenset(_secrets(config, problem))
        problem(
            ENVIRONMENT,
            "nothing",
            "`crossmesh:environment` declares what the stack consists of",
            "add it; `docs/reference/stack-file.md` describes its keys",
        )
    elif not isinstance(config[ENVIRONMENT_KEY], dict):
        problem(
            ENVIRONMENT,
            show(config[ENVIRONMENT_KEY]),
            "`crossmesh:environment` is a mapping",
            "declare the environment's keys below it",
        )
    return frozenset(_secrets(config, problem))


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _is_misspelt(key: str, value: Any) -> bool:
    """Whether a key looks like one of ours that is not a secret."""
    names = [ENVIRONMENT_KEY.removeprefix(OWN), LEDGER_KEY.removeprefix(OWN)]
    if not key.startswith(OWN) or key in (ENVIRONMENT_KEY, LEDGER_KEY) or _is_secret(value):
        return False
    return isinstance(value, (dict, list)) or bool(suggestion(key.removeprefix(OWN), names, ""))


def _check_providers(document: Document, config: dict[str, Any], problem: Any) -> None:
    """A default Kubernetes provider would take whatever cluster the kubeconfig names at that moment."""
    disabled = config.get("pulumi:disable-default-providers")
    if not isinstance(disabled, list) or not {"kubernetes", "*"} & set(map(str, disabled)):
        problem(
            DISABLED,
            show(disabled),
            "default Kubernetes providers are off, so that no object can land in the "
            "cluster that a kubeconfig happens to name",
            "add `pulumi:disable-default-providers: [kubernetes]` under `config:`",
        )


def _secrets(config: dict[str, Any], problem: Any) -> list[str]:
    names = []
    known = (ENVIRONMENT_KEY, LEDGER_KEY)
    for key, value in config.items():
        if not key.startswith(OWN) or key in known:
            continue
        path: KeyPath = ("config", key)
        if _is_secret(value):
            names.append(key.removeprefix(OWN))
        elif _is_misspelt(key, value):
            problem(
                path,
                f"the unknown key '{key}'",
                f"keys of Crossmesh are {' and '.join(known)}, and secrets",
                suggestion(key, known, "remove it"),
            )
        else:
            name = key.removeprefix(OWN)
            problem(
                path,
                "a value in plain text",
                "all other keys of Crossmesh are secrets, and encrypted",
                f"remove the line, treat the value as known to others, and set a new one by "
                f"`pulumi config set --secret {name}`",
            )
    return names
