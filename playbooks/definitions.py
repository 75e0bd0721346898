"""How custom resource definitions are declared: with the long part of them as text.

Their schemas are trees of thousands of values. The Kubernetes provider would keep each tree three times, and
the engine copy it at each step: a half of what a run with nothing to do costs. Whoever reads a state or a
preview gets the Kubernetes object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from playbooks.tokens import CUSTOM_RESOURCE_DEFINITION

KIND = "CustomResourceDefinition"
FIELD_MANAGER = "crossmesh"
"""The one field manager of everything that is applied."""
FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE"
"""The environment variable by which the Kubernetes provider, too, takes fields back from other managers."""
_OBJECT_TYPE = f"kubernetes:apiextensions.k8s.io/v1:{KIND}"


def folded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as it is declared: the versions with their schemas as JSON."""
    spec = manifest["spec"]
    versions = json.dumps(spec["versions"], sort_keys=True, separators=(",", ":"))
    return {**manifest, "spec": {**spec, "versions": versions}}


def unfolded(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as Kubernetes has it."""
    spec = definition["spec"]
    return {**definition, "spec": {**spec, "versions": json.loads(spec["versions"])}}


def as_object(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource of the engine; of a definition, as if the Kubernetes provider had made it.

    What is not known yet stays out. resource: as states and previews have it.
    """
    if resource["type"] != CUSTOM_RESOURCE_DEFINITION:
        return resource
    inputs = resource.get("inputs") or {}
    definition = inputs.get("definition")
    known = unfolded(definition) if isinstance(definition, Mapping) else {}
    return {
        **resource,
        "type": _OBJECT_TYPE,
        "inputs": known,
        "outputs": {},
        "provider": f"{inputs.get('cluster')}::",
    }
