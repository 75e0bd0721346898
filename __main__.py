"""The Pulumi program: load the stack's declaration, build the platform, export its outputs."""

from __future__ import annotations

import gc
from pathlib import Path

import pulumi

from components.charts import ChartError
from components.given import read_given
from components.kinds import UnknownFieldError
from components.platform import Platform
from stacks.errors import StackFileError
from stacks.files import check_files
from stacks.load import load_stack, stack_path
from stacks.model import AdoptedClusterSpec
from stacks.named_secrets import MESH_ROOT_KEY, holds_encrypted, named_secrets
from toolchain import ToolchainError


def main() -> None:
    """Build what the selected stack's file declares."""
    stack = load_stack(stack_path(pulumi.get_stack(), Path(__file__).resolve().parent), require_secrets=True)
    if not pulumi.runtime.is_dry_run():
        # A preview in CI needs no keys; hosts are reached with them only when something is done.
        check_files(stack)
    config = pulumi.Config()
    adopted = {
        name: config.require_secret(spec.cluster.kubeconfig_secret)
        for name, spec in stack.environment.regions.items()
        if isinstance(spec.cluster, AdoptedClusterSpec)
    }
    named = {name for _, name, _ in named_secrets(stack.environment)}
    platform = Platform(
        stack.name,
        stack,
        config.require_secret(MESH_ROOT_KEY),
        kubeconfigs=adopted,
        secrets={name: config.require_secret(name) for name in sorted(named)},
        encrypted=config.require_secret_object("environment") if holds_encrypted(stack.environment) else None,
        given=read_given(stack),
    )
    for name, value in platform.outputs.items():
        pulumi.export(name, value)


# What is declared lives until the end. Looking through all of it for garbage again and again took a third of
# the time of a run with fifty clusters.
gc.set_threshold(100_000, 50, 50)
try:
    main()
except (ChartError, StackFileError, ToolchainError, UnknownFieldError) as error:
    # These say what is wrong and how to mend it; where in the program they were found helps nobody.
    raise pulumi.RunError(str(error)) from None
