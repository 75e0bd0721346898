"""The schema and the reference are those of the model and the rules as they are now."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from stacks import schema
from stacks.load import stack_path
from stacks.rules import ALL


def problems(document: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema.schema()).iter_errors(document)]


def lab() -> Any:
    return YAML(typ="safe", pure=True).load(stack_path("lab").read_text())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.render()))


@pytest.mark.parametrize("name", ["lab", "staging", "production"])
def test_the_stacks_that_ship_with_the_project_keep_to_the_schema(name: str) -> None:
    assert problems(YAML(typ="safe", pure=True).load(stack_path(name).read_text())) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("crossmesh:environment", "domian"), "x"),
        (("crossmesh:environment", "domain"), "X"),
        (("crossmesh:environment", "addresses", "podPool"), "lan"),
        (("crossmesh:environment", "globalLoadBalancer", "ttl"), "5"),
        (("crossmesh:environment", "regions", "eu", "cluster", "nodes", "eu-cp-1", "role"), "master"),
        (("crossmesh:ledger", "nodes", "eu", "eu-cp-1"), 5),
        (("crossmesh:meshRootKey",), "plain text"),
        (("pulumi:disable-default-providers",), ["aws"]),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(path: tuple[str, ...], value: Any) -> None:
    document = lab()
    assert problems(document) == []
    place = document["config"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert problems(document) != []


def test_every_rule_says_which_failure_it_prevents() -> None:
    assert all(len(rule.__doc__ or "") > 40 for rule in ALL)
    assert len(set(ALL)) == len(ALL)
