"""Rules that hold for each resource of the platform, whatever component it belongs to."""

from __future__ import annotations

import re

from components.tokens import COMPONENTS, PLATFORM
from playbooks.tokens import CLUSTER_IDENTITY, HOST_PHASE


def _clusters_objects(recording):
    return [each for each in recording.resources.values() if each.kubernetes]


def test_every_object_goes_through_the_provider_of_its_own_region(up):
    objects = _clusters_objects(up)
    assert len(objects) > 60
    for each in objects:
        assert up.cluster_of(each) == f"{each.region}.kubernetes", (
            f"{each.urn} is written through {each.provider!r}"
        )


def test_remote_secrets_are_named_for_the_cluster_that_they_are_in(up):
    secret = up.one("kubernetes:core/v1:Secret", "eu.istio-system.istio-remote-secret-us")
    assert up.cluster_of(secret) == "eu.kubernetes"


def test_every_resource_of_our_provider_has_it_explicitly(up):
    ours = [
        each for each in up.resources.values() if re.match(r"crossmesh:(tls|hosts|kubernetes):", each.type)
    ]
    assert ours
    assert {each.provider.rpartition("::")[0].rpartition("::")[2] for each in ours} == {"crossmesh"}


def test_every_resource_is_part_of_the_platform(up):
    for each in up.resources.values():
        if each.type == PLATFORM:
            continue
        ancestors = up.ancestors(each)
        assert ancestors, f"{each.urn} has no parent"
        assert ancestors[-1].type == PLATFORM
        assert all(ancestor.type.startswith(COMPONENTS) for ancestor in ancestors)


def test_every_component_registers_its_outputs(up):
    components = [each for each in up.resources.values() if not each.custom]
    assert len({each.type for each in components}) >= 11
    assert [each.urn for each in components if not each.outputs] == []


def test_a_preview_of_nothing_registers_exactly_what_up_registers(up, preview):
    assert sorted(preview.resources) == sorted(up.resources)


def test_nothing_is_written_into_a_cluster_before_its_identity_is_checked(up):
    for each in _clusters_objects(up):
        identity = up.one(CLUSTER_IDENTITY, f"{each.region}.identity")
        assert identity.urn in up.needs(each), f"{each.urn} does not wait for the identity check"


def test_objects_go_with_their_cluster(up):
    for each in _clusters_objects(up):
        control_plane = up.one(HOST_PHASE, f"{each.region}-cp-1.control-plane")
        assert each.deleted_with == control_plane.urn


def test_data_of_every_secret_stays_a_secret(up):
    secrets = up.of("kubernetes:core/v1:Secret")
    assert len(secrets) >= 8
    assert all({"data", "stringData"} <= each.secrets for each in secrets)


def test_secrets_are_declared_where_the_cluster_keeps_their_data(up):
    """The provider would move it there once it knows the cluster, and a preview differ from `up`."""
    secrets = up.of("kubernetes:core/v1:Secret")
    assert all("data" in each.inputs and "stringData" not in each.inputs for each in secrets)


def test_kinds_have_the_types_that_the_provider_awaits(up):
    for type_ in (
        "apps/v1:Deployment",
        "apps/v1:DaemonSet",
        "core/v1:Service",
        "networking.k8s.io/v1:Ingress",
    ):
        assert up.of(f"kubernetes:{type_}"), f"nothing has the type {type_}"
    assert not [each for each in up.resources.values() if each.type.startswith("kubernetes:v1:")]


def test_a_run_after_a_killed_one_owns_the_fields_of_what_was_created(up):
    """An object that exists but is in no state was refused: two of our own managers were in conflict."""
    for each in _clusters_objects(up):
        annotations = each.inputs["metadata"]["annotations"]
        assert annotations["pulumi.com/patchFieldManager"] == "crossmesh", each.urn
