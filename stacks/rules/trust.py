"""Rules over the root of trust."""

from __future__ import annotations

from stacks.rules.check import Check

MESH_ROOT_KEY = "meshRootKey"

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


RULES = (the_root_key_is_there,)
