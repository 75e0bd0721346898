"""Rules over the root of trust, and over whatever else is secret."""

from __future__ import annotations

from stacks.named_secrets import MESH_ROOT_KEY, named_secrets
from stacks.rules.check import Check
from stacks.wording import suggestion

ROOT_KEY_PATH = ("config", f"crossmesh:{MESH_ROOT_KEY}")


def the_root_key_is_there(check: Check) -> None:
    """The key of the mesh's root of trust is in the file: found before any host is touched, not half way."""
    if not check.require_secrets:
        return
    if MESH_ROOT_KEY not in check.secrets and check.document.get(ROOT_KEY_PATH) is None:
        check.document.problem(
            ROOT_KEY_PATH,
            "nothing",
            "the key of the mesh's root of trust is a secret of the stack",
            f"run `crossmesh secrets init --stack {check.stack}`",
        )


def named_secrets_are_there(check: Check) -> None:
    """A secret that is named is in the file: found now, not when a host or pods wait for it."""
    if not check.require_secrets:
        return
    for path, name, holds in named_secrets(check.environment):
        if name not in check.secrets:
            near = suggestion(name, check.secrets - _of_the_platform(check), "")
            set_it = f"run `pulumi config set --secret --stack {check.stack} {name}`, which asks for it"
            check.problem(
                path,
                f"the name '{name}', and no such secret",
                f"the stack secret `crossmesh:{name}` holds {holds}",
                f"{near} or {set_it}" if near else set_it,
            )


def named_secrets_are_not_the_platforms(check: Check) -> None:
    """Neither the root's key nor a cluster's kubeconfig is given to anybody: who has them has all."""
    for path, name, _ in named_secrets(check.environment):
        if name in _of_the_platform(check):
            check.problem(
                path,
                f"the name '{name}', a secret of the platform itself",
                "the root's key and kubeconfigs are given to nobody",
                "set a secret of another name",
            )


def _of_the_platform(check: Check) -> set[str]:
    return {MESH_ROOT_KEY, *(cluster.kubeconfig_secret for _, cluster in check.adopted())}


RULES = (the_root_key_is_there, named_secrets_are_there, named_secrets_are_not_the_platforms)
