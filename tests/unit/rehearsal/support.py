"""Declarations that are rehearsed, and the lab that their twins are put on."""

from __future__ import annotations

from typing import Any

import yaml

from rehearsal.crew import Crew
from rehearsal.place import Place, place
from rehearsal.twin import Lab, lab_of
from stacks.load import PROJECT, stack_path
from stacks.model import Environment
from tests.unit.stacks.small import small

NETWORK = "10.181"


def nodes(region: str, *, control_planes: int = 1, workers: int = 1, **more: Any) -> dict[str, Any]:
    """Nodes of a region by name. more: by a node's name, what it has beside its address and role."""
    roles = [("cp", "control-plane")] * control_planes + [("worker", "worker")] * workers
    found: dict[str, Any] = {}
    for number, (word, role) in enumerate(roles, 1):
        name = f"{region}-{word}-{number}"
        extra = more.get(name.replace("-", "_"), {})
        found[name] = {"address": f"192.0.2.{10 + number}", "role": role, **extra}
    return found


def region(its_nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A region of machines."""
    return {
        "machineNetwork": "192.0.2.0/24",
        "loadBalancer": {"first": "192.0.2.200", "last": "192.0.2.203"},
        "cluster": {"kind": "bareMetal", "nodes": its_nodes},
        **more,
    }


def declared(regions: dict[str, Any], **more: Any) -> Environment:
    """An environment of these regions."""
    return Environment.model_validate(small(regions, **more))


def placed(crew: Crew) -> Place:
    """A lab with the crew's machines."""
    names = {f"region-{number}": name for number, name in enumerate(crew.regions, 1)}
    answer = {
        "name": "twin-1",
        "network": f"{NETWORK}.0.0/16",
        "regions": {
            lab_s: {
                "subnet": f"{NETWORK}.{number}.0/24",
                "router": f"{NETWORK}.{number}.1",
                "machines": {
                    machine: f"{NETWORK}.{number}.{11 + at}" for at, machine in enumerate(crew.regions[name])
                },
            }
            for number, (lab_s, name) in enumerate(names.items(), 1)
        },
    }
    return place(answer, names)


def reference() -> Lab:
    """The reference lab's own settings."""
    return lab_of(yaml.safe_load(stack_path("lab", PROJECT).read_text()))
