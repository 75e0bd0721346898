"""The outer shape of a stack file: what lies beside environment and ledger, and which secrets there are."""

from __future__ import annotations

from typing import Any

from stacks.errors import ENVIRONMENT, LEDGER, KeyPath, is_encrypted
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
    data = document.data
    if not isinstance(data, dict):
        document.problem(
            (),
            "an empty file" if data is None else type_name(data),
            "a stack file is a mapping with the key `config`",
            "copy another stack file and change it",
        )
        return frozenset()
    unknown = [key for key in data if key not in TOP_LEVEL]
    for key in unknown:
        document.problem(
            (key,),
            f"the unknown key '{key}'",
            f"keys here are: {', '.join(TOP_LEVEL)}",
            suggestion(key, TOP_LEVEL, "put it under `config:`, or remove it"),
        )
    config = data.get("config")
    if isinstance(config, dict):
        _check_providers(document, config)
        _check_environment(document, config)
        return frozenset(_secrets(document, config))
    if not any(suggestion(key, ["config"], "") for key in unknown):  # or else it was said above
        document.problem(
            ("config",),
            show(config),
            "`config` is a mapping that holds `crossmesh:environment`",
            "declare the environment under `config:`",
        )
    return frozenset()


def _check_providers(document: Document, config: dict[str, Any]) -> None:
    """A default Kubernetes provider would take whatever cluster the kubeconfig names at that moment."""
    disabled = config.get("pulumi:disable-default-providers")
    if not isinstance(disabled, list) or not {"kubernetes", "*"} & set(map(str, disabled)):
        document.problem(
            DISABLED,
            show(disabled),
            "default Kubernetes providers are off, so that no object can land in the "
            "cluster that a kubeconfig happens to name",
            "add `pulumi:disable-default-providers: [kubernetes]` under `config:`",
        )


def _check_environment(document: Document, config: dict[str, Any]) -> None:
    if ENVIRONMENT_KEY in config:
        if not isinstance(config[ENVIRONMENT_KEY], dict):
            document.problem(
                ENVIRONMENT,
                show(config[ENVIRONMENT_KEY]),
                "`crossmesh:environment` is a mapping",
                "declare the environment's keys below it",
            )
    elif not any(_is_misspelt(key, value) for key, value in config.items()):
        document.problem(
            ENVIRONMENT,
            "nothing",
            "`crossmesh:environment` declares what the stack consists of",
            "add it; `docs/reference/stack-file.md` describes its keys",
        )


def _is_misspelt(key: str, value: Any) -> bool:
    """Whether a key looks like one of ours that is not a secret."""
    names = [ENVIRONMENT_KEY.removeprefix(OWN), LEDGER_KEY.removeprefix(OWN)]
    if not key.startswith(OWN) or key in (ENVIRONMENT_KEY, LEDGER_KEY) or is_encrypted(value):
        return False
    return isinstance(value, (dict, list)) or bool(suggestion(key.removeprefix(OWN), names, ""))


def _secrets(document: Document, config: dict[str, Any]) -> list[str]:
    names = []
    known = (ENVIRONMENT_KEY, LEDGER_KEY)
    for key, value in config.items():
        name = key.removeprefix(OWN)
        if not key.startswith(OWN) or key in known:
            continue
        if is_encrypted(value):
            names.append(name)
        elif _is_misspelt(key, value):
            document.problem(
                ("config", key),
                f"the unknown key '{key}'",
                f"keys of Crossmesh are {' and '.join(known)}, and secrets",
                suggestion(key, known, "remove it"),
            )
        else:
            document.problem(
                ("config", key),
                "a value in plain text",
                "all other keys of Crossmesh are secrets, and encrypted",
                f"remove the line, treat the value as known to others, and set a new one by "
                f"`pulumi config set --secret {name}`",
            )
    return names
