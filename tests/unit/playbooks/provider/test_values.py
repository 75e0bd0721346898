from __future__ import annotations

from collections.abc import Sequence

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from playbooks.provider.provider import RESOURCES
from playbooks.provider.schema import Field, ResourceSchema
from playbooks.provider.values import UNKNOWN, from_properties, from_python, has_unknown, to_python


def test_values_that_are_not_known_survive_the_way_through_the_protocol() -> None:
    values = {"a": [1, UNKNOWN], "b": {"c": UNKNOWN}}
    sent = PropertyValue.marshal_map({key: from_python(value) for key, value in values.items()})
    received = {key: to_python(value) for key, value in PropertyValue.unmarshal_map(sent).items()}
    assert received == values
    assert has_unknown(received)
    assert sent["b"]["c"] == rpc.UNKNOWN


def test_whole_numbers_stay_whole_and_secrets_lose_their_mark_inside() -> None:
    value = PropertyValue({"port": PropertyValue(22.0), "half": PropertyValue(0.5)}, is_secret=True)
    assert to_python(value) == {"port": 22, "half": 0.5}
    assert isinstance(to_python(value)["port"], int)


def test_mappings_are_in_order_of_their_keys_whatever_the_protocols_order() -> None:
    """What is written to hosts from them would else differ from run to run, and be found as drift."""
    found = to_python(PropertyValue({"b": PropertyValue({"z": PropertyValue(1.0), "y": PropertyValue(2.0)})}))
    assert list(found["b"]) == ["y", "z"]


def test_secrets_are_marked_and_missing_values_left_out() -> None:
    made = from_properties({"key": "x", "name": "n", "none": None}, {"key"})
    assert made["key"].is_secret
    assert not made["name"].is_secret
    assert "none" not in made


def test_all_that_is_wrong_with_the_inputs_is_told_at_once_and_no_secret_with_it() -> None:
    schema = ResourceSchema(
        "a:b:C",
        (
            Field("days", name="days", kind=int, required=True, least=1),
            Field("a key", name="key", secret=True),
            Field("its kind", name="kind", choices=("x", "y")),
            Field("names", name="names", kind=Sequence, required=True),
        ),
        (),
    )
    problems = dict(schema.problems({"days": 0, "key": 4711, "kind": "z", "other": 1}))
    assert set(problems) == {"days", "key", "kind", "names", "other"}
    assert "4711" not in problems["key"]
    assert "at least 1" in problems["days"]


def test_every_resource_says_what_it_must_be_given_and_what_of_it_is_secret() -> None:
    assert set(RESOURCES) == {
        "crossmesh:tls:CertificateAuthority",
        "crossmesh:tls:Certificate",
        "crossmesh:hosts:HostPhase",
        "crossmesh:kubernetes:ClusterIdentity",
        "crossmesh:kubernetes:ServiceAccountToken",
        "crossmesh:kubernetes:CustomResourceDefinition",
        "crossmesh:kubernetes:NodeTaints",
        "crossmesh:kubernetes:Admission",
        "crossmesh:network:TunnelKey",
        "crossmesh:tls:SigningKey",
        "crossmesh:tls:GivenCertificate",
        "crossmesh:kubernetes:EncryptionKey",
    }
    authority = RESOURCES["crossmesh:tls:CertificateAuthority"].schema
    assert "private_key" in authority.secrets
    assert "private_key" in RESOURCES["crossmesh:tls:GivenCertificate"].schema.secrets
    required = [field.name for field in authority.inputs if field.required]
    assert required == ["common_name", "validity_days"]
