"""What becomes of secrets of the stack that the declaration names."""

from __future__ import annotations

import json
from dataclasses import replace

import pulumi
import pytest

from components.platform import Platform
from stacks.model import Environment
from tests.unit.components import support

LOGIN = {"name": "registry.example.test", "login": "pull"}


def built(stack, secrets, **changes):
    """What the reference stack with other keys registers."""
    environment = json.loads(stack.environment.model_dump_json(by_alias=True, exclude_none=True))
    stack = replace(stack, environment=Environment.model_validate({**environment, **changes}))
    return support.run(lambda: Platform("lab", stack, "root key", secrets=secrets).outputs, preview=False)


def test_a_login_reaches_nodes_as_a_secret_variable_and_nobody_else(small_charts, stack):
    found = built(stack, {"pull": "anna:to:ken\n"}, sources={"registries": [LOGIN]})
    secrets = {
        phase.name: phase.inputs["secret_variables"]
        for phase in found.of("crossmesh:hosts:HostPhase")
        if "to:ken" in json.dumps(phase.inputs)
    }
    logins = {"container_runtime_logins": {LOGIN["name"]: {"user": "anna", "password": "to:ken"}}}
    nodes = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")
    assert secrets == {f"{node}.prepare": logins for node in nodes}


@pytest.mark.parametrize("text", ["token", ":token", "anna:", "anna:one\ntwo"])
def test_a_secret_that_is_no_login_ends_the_program_and_is_not_told(small_charts, stack, text):
    with pytest.raises(pulumi.RunError, match="crossmesh:pull is no login: a user, a colon") as ended:
        built(stack, {"pull": text}, sources={"registries": [LOGIN]})
    assert "token" not in str(ended.value).replace("password or token", "")
