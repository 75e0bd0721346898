"""What a Pulumi program uses of the Crossmesh provider: its resources and the provider resource itself.

Each property is described once, beside its type: the check of inputs and the marks of secrets are read from
here. Names are the same in the engine's protocol and in the state, so the keys of `variables` arrive at
Ansible as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, TypedDict, Unpack

import pulumi
from pulumi import Input, Output, ResourceOptions

from playbooks import tokens
from playbooks.provider.schema import Field, ResourceSchema
from playbooks.provider.tls import USAGES
from playbooks.rolling import Wave
from playbooks.work import PHASES

RUN = "run"
"""Name of the input that tells about the run that the program is part of. The check takes it out."""
_Options = ResourceOptions | None
_RENEWED = "days before its end from which `up` renews it"
_ISSUER = "the authority above: its certificate, private_key, chain and root_certificate"


class CrossmeshProvider(pulumi.ProviderResource):
    """The provider, to be passed to its resources by `ResourceOptions(provider=…)`.

    What it knows of this one run reaches the provider with the resources and is no part of any state: a run
    that is not like the one before changes nothing by that.
    """

    def __init__(
        self,
        name: str,
        *,
        preview: bool,
        hosts: Mapping[str, Sequence[str]],
        waves: Sequence[Wave] = (),
        opts: _Options = None,
    ) -> None:
        """preview: whether the program runs for a preview (`pulumi.runtime.is_dry_run()`): what cannot be
            measured is then a warning, and an error in `up`.
        hosts: name of each host → its phases in order, for example `{"eu-cp-1": ["prepare",
            "control-plane"]}`. In `up`, every host whose first phase changes is reached before the first host
            is changed.
        waves: in which order and in what numbers hosts are changed that something runs on; one by one if
            nothing is said.
        """
        told = {
            "preview": preview,
            "hosts": {host: [str(phase) for phase in phases] for host, phases in hosts.items()},
            "waves": [[wave.hosts, wave.at_once] for wave in waves],
        }
        self.run = json.dumps(told, sort_keys=True)
        """What the provider is told of this run, JSON."""
        super().__init__("crossmesh", name, {}, opts)


class _Resource(pulumi.CustomResource):
    """A resource of the provider: declared with what its inputs are, a TypedDict."""

    _token: ClassVar[str]
    _inputs: ClassVar[type]

    def __init_subclass__(cls, *, token: str, inputs: type) -> None:
        super().__init_subclass__()
        cls._token, cls._inputs = token, inputs

    def __init__(self, name: str, opts: _Options, inputs: Mapping[str, Any]) -> None:
        schema = self.schema()
        names = [field.name for field in (*schema.inputs, *schema.outputs)]
        properties = dict.fromkeys(names) | {
            key: Output.secret(value) if key in schema.secrets and value is not None else value
            for key, value in inputs.items()
        }
        if RUN in properties:
            properties[RUN] = _run(opts, schema.token)
        secrets = ResourceOptions(additional_secret_outputs=sorted(schema.secrets))
        super().__init__(schema.token, name, properties, ResourceOptions.merge(opts, secrets))

    @classmethod
    @cache
    def schema(cls) -> ResourceSchema:
        return ResourceSchema.of(cls, cls._token, cls._inputs)


class _AboutRun(TypedDict, total=False):
    run: Annotated[str, Field("what the program knows of this run (JSON); in no state")]


class _Issued(TypedDict):
    common_name: Annotated[Input[str], Field("name of its owner")]
    validity_days: Annotated[Input[int], Field("days that a new certificate is valid", least=1)]


class _Named(TypedDict, total=False):
    dns_names: Annotated[Sequence[Input[str]], Field("DNS names, subject alternative names")]


class _Adopted(TypedDict, total=False):
    kept_on: Annotated[
        Mapping[str, Any] | None,
        Field(
            "where there may be one already when it is made, which is taken over then: host, its connection, "
            "and name, that of kubeadm's files"
        ),
    ]
    become_password: Annotated[Input[str] | None, Field("what sudo asks for on that host", secret=True)]


class CertificateAuthorityInputs(_Issued, _Named, _Adopted, total=False):
    renew_before_days: Annotated[
        Input[int] | None, Field(f"{_RENEWED}; none where who holds it would not get another one", least=0)
    ]
    organization: Annotated[Input[str] | None, Field("organization in its name")]
    path_length: Annotated[Input[int] | None, Field("authorities below it; none for no limit", least=0)]
    private_key: Annotated[
        Input[str] | None, Field("its key, PEM; none to generate one (ECDSA P-256)", secret=True)
    ]
    issuer: Annotated[CertificateAuthority | None, Field(_ISSUER)]


class CertificateAuthority(_Resource, token=tokens.CERTIFICATE_AUTHORITY, inputs=CertificateAuthorityInputs):
    """A certificate authority: a root, or an intermediate of `issuer`. Once made, it keeps key and name."""

    certificate: Annotated[Output[str], Field("its certificate, PEM")]
    chain: Annotated[
        Output[str],
        Field("its certificate and the intermediates above it, without the root; a root's own; PEM"),
    ]
    root_certificate: Annotated[Output[str], Field("the certificate of the root that it ends in, PEM")]
    not_after: Annotated[Output[str], Field("when its certificate expires, RFC 3339, UTC")]
    public_key_hash: Annotated[
        Output[str], Field("sha256:<hex> of its SubjectPublicKeyInfo, as kubeadm's discovery expects it")
    ]
    issuer_certificate: Annotated[Output[str], Field("certificate of the authority above, PEM")]
    private_key: Output[str]

    def __init__(
        self, name: str, opts: _Options = None, **inputs: Unpack[CertificateAuthorityInputs]
    ) -> None:
        super().__init__(name, opts, {**inputs, "issuer": _issuer(inputs.get("issuer"))})


class _CertificateInputs(_Issued):
    renew_before_days: Annotated[Input[int], Field(_RENEWED, least=0)]
    issuer: Annotated[CertificateAuthority, Field(_ISSUER)]
    usages: Annotated[Sequence[Input[str]], Field("extended key usages", choices=tuple(USAGES))]


class CertificateInputs(_CertificateInputs, _Named, total=False):
    organizations: Annotated[Sequence[Input[str]], Field("organizations; groups to Kubernetes")]


class Certificate(_Resource, token=tokens.CERTIFICATE, inputs=CertificateInputs):
    """A certificate for a server, a client or both; each renewal has a new key (ECDSA P-256)."""

    certificate: Annotated[Output[str], Field("the certificate, PEM")]
    chain: Annotated[
        Output[str],
        Field("it and the intermediates above it, without the root, as a server presents them; PEM"),
    ]
    not_after: Annotated[Output[str], Field("when it expires, RFC 3339, UTC")]
    private_key: Annotated[Output[str], Field("its private key, PEM (PKCS #8)", secret=True)]
    issuer_certificate: Annotated[Output[str], Field("certificate of the issuer, PEM")]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[CertificateInputs]) -> None:
        super().__init__(name, opts, {**inputs, "issuer": _issuer(inputs["issuer"])})


class GivenCertificateParts(TypedDict, total=False):
    """What is given. What a preview does not know it takes from the state, and otherwise says so."""

    # No secret; but what it says stands beside it, and reports need no pages of PEM.
    chain: Annotated[
        str | None, Field("the certificate and the authorities above it, without the root, PEM", secret=True)
    ]
    private_key: Annotated[Input[str] | None, Field("its private key, PEM (PKCS #8)", secret=True)]
    ca: Annotated[str | None, Field("authorities that its clients trust, PEM; empty for the system's store")]
    anchor: Annotated[str | None, Field("the one of these that it is verified by")]
    authorities: Annotated[Sequence[str] | None, Field("all of these, in words")]
    subject: Annotated[str | None, Field("its subject")]
    issuer: Annotated[str | None, Field("its issuer")]
    serial: Annotated[str | None, Field("its serial number, hexadecimal")]
    dns_names: Annotated[Sequence[str] | None, Field("the DNS names that it is for")]
    not_before: Annotated[
        str | None, Field("from when the one of its chain is valid that ends first, RFC 3339, UTC")
    ]
    not_after: Annotated[str | None, Field("when that one expires, likewise")]


class GivenCertificateInputs(GivenCertificateParts):
    """What a given certificate is declared with."""

    certificate_name: Annotated[str, Field("its name in the declaration")]


class GivenCertificate(_Resource, token=tokens.GIVEN_CERTIFICATE, inputs=GivenCertificateInputs):
    """A certificate that the declaration gives, with what it says of itself."""

    certificate: Annotated[Output[str], Field("the certificate alone, PEM")]
    chain: Output[str]
    private_key: Output[str]
    ca: Output[str]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[GivenCertificateInputs]) -> None:
        super().__init__(name, opts, inputs)


class _HostPhaseInputs(TypedDict):
    host: Annotated[str, Field("name of the host")]
    phase: Annotated[str, Field("the phase", choices=tuple(PHASES))]
    connection: Annotated[
        Mapping[str, Any], Field("address, port, user, privateKeyFile, knownHostsFile, jump")
    ]
    variables: Annotated[Input[Mapping[str, Any]], Field("role variables of this host and phase")]


class HostPhaseInputs(_HostPhaseInputs, _AboutRun, total=False):
    """What a phase is declared with. Its digest covers variables of all three kinds, and nothing else.

    file_variables: one that a preview's machine does not have counts as unchanged.
    kubeconfig: the token to join by is made just before the playbook and deleted right after it; a node that
        leaves is drained and taken out of the cluster before its host is reset; one whose kubelet goes to
        another minor version is drained before, and takes pods again after it.
    reset_on_delete: whether the host is left as it is otherwise.
    """

    secret_variables: Annotated[
        Input[Mapping[str, Any]] | None, Field("role variables that are secrets", secret=True)
    ]
    file_variables: Annotated[
        Mapping[str, Any] | None, Field("role variables that are texts of files of this machine: paths")
    ]
    become_password: Annotated[Input[str] | None, Field("what sudo asks for on the host", secret=True)]
    preflight: Annotated[
        Mapping[str, Any] | None,
        Field("how the host is looked at before it is changed: role, accept, ignore"),
    ]
    kubeconfig: Annotated[Input[str] | None, Field("of the cluster that it joins and leaves", secret=True)]
    reset_on_delete: Annotated[bool, Field("undo the phase on the host when it is deleted")]
    region: Annotated[str | None, Field("name of the region that it belongs to")]
    declared: Annotated[str | None, Field("key of the declaration that it comes from")]


class HostPhase(_Resource, token=tokens.HOST_PHASE, inputs=HostPhaseInputs):
    """One phase of one host, made by its playbook. It changes when its variables or its roles do."""

    digest: Annotated[
        Output[str], Field("of variables and roles that the host was last brought to", checked=True)
    ]
    roles_digest: Annotated[Output[str], Field("of the roles", checked=True)]
    file_sums: Annotated[
        Output[Mapping[str, Any]], Field("SHA-256 of each file of file_variables", checked=True)
    ]
    secret_sums: Annotated[
        Output[Mapping[str, Any]], Field("salted digest of each of secret_variables", checked=True)
    ]
    salt: Annotated[Output[str], Field("of the digest of secret variables", checked=True)]
    host: Output[str]
    phase: Output[str]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[HostPhaseInputs]) -> None:
        super().__init__(name, opts, inputs)


class _ClusterIdentityInputs(TypedDict):
    cluster: Annotated[str, Field("name of the cluster, for messages")]
    kubeconfig: Annotated[Input[str], Field("text of the kubeconfig", secret=True)]


class ClusterIdentityInputs(_ClusterIdentityInputs, _AboutRun):
    """What the check of a cluster is declared with."""


class ClusterIdentity(_Resource, token=tokens.CLUSTER_IDENTITY, inputs=ClusterIdentityInputs):
    """The check that a kubeconfig still leads to the cluster that it led to: the UID of its `kube-system`.

    Take `kubeconfig` from here for everything that is written into the cluster: then nothing is written
    before the check, which is made on every run.
    """

    uid: Annotated[Output[str], Field("UID of the namespace kube-system")]
    kubeconfig: Output[str]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[ClusterIdentityInputs]) -> None:
        super().__init__(name, opts, inputs)


class ServiceAccountTokenInputs(TypedDict):
    kubeconfig: Annotated[Input[str], Field("text of a kubeconfig of the cluster", secret=True)]
    namespace: Annotated[Input[str], Field("namespace of the service account")]
    service_account: Annotated[Input[str], Field("name of the service account")]
    expiration_seconds: Annotated[Input[int], Field("seconds that it is valid", least=600)]
    renew_before_seconds: Annotated[Input[int], Field("seconds before its end to renew it", least=0)]


class ServiceAccountToken(_Resource, token=tokens.SERVICE_ACCOUNT_TOKEN, inputs=ServiceAccountTokenInputs):
    """A token of a service account with an end, by the TokenRequest API."""

    token: Annotated[Output[str], Field("the token", secret=True)]
    expires_at: Annotated[Output[str], Field("when it expires, RFC 3339, UTC, as the API server answered")]
    cluster: Annotated[Output[str], Field("digest of the cluster's address and CA")]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[ServiceAccountTokenInputs]) -> None:
        super().__init__(name, opts, inputs)


class TunnelKeyInputs(TypedDict):
    host: Annotated[str, Field("name of the node whose key it is")]


class TunnelKey(_Resource, token=tokens.TUNNEL_KEY, inputs=TunnelKeyInputs):
    """What a node's tunnels are sealed with, X25519. Once made, it is kept."""

    private_key: Annotated[Output[str], Field("the private key, base64 as WireGuard has it", secret=True)]
    public_key: Annotated[Output[str], Field("the public key, likewise")]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[TunnelKeyInputs]) -> None:
        super().__init__(name, opts, inputs)


class _SigningKeyInputs(TypedDict):
    purpose: Annotated[str, Field("what is signed by it")]


class SigningKeyInputs(_SigningKeyInputs, _Adopted, total=False):
    """What a pair of keys is declared with."""


class SigningKey(_Resource, token=tokens.SIGNING_KEY, inputs=SigningKeyInputs):
    """A key by which something is signed, and one by which others check that (ECDSA P-256). Once made, both
    are kept."""

    private_key: Annotated[Output[str], Field("the private key, PEM (PKCS #8)", secret=True)]
    public_key: Annotated[Output[str], Field("the public key, PEM (SubjectPublicKeyInfo)")]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[SigningKeyInputs]) -> None:
        super().__init__(name, opts, inputs)


class _EncryptionKeyInputs(TypedDict):
    cluster: Annotated[str, Field("name of the cluster whose Secrets it encrypts")]


class EncryptionKeyInputs(_EncryptionKeyInputs, total=False):
    number: Annotated[int, Field("which of the cluster's keys it is; none for the first", least=2)]


class EncryptionKey(_Resource, token=tokens.ENCRYPTION_KEY, inputs=EncryptionKeyInputs):
    """What a cluster's Secrets are encrypted by in etcd. Once made, it is kept: nobody reads them without."""

    key_name: Annotated[Output[str], Field("its name, which stands beside what it has encrypted")]
    secret: Annotated[Output[str], Field("32 random bytes, base64", secret=True)]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[EncryptionKeyInputs]) -> None:
        super().__init__(name, opts, inputs)


class CustomResourceDefinitionInputs(TypedDict):
    kubeconfig: Annotated[Input[str], Field("text of a kubeconfig of the cluster", secret=True)]
    cluster: Annotated[Input[str], Field("URN of the provider of the objects in the cluster")]
    definition: Annotated[Input[Mapping[str, Any]], Field("the definition; its spec.versions is text, JSON")]


class CustomResourceDefinition(
    _Resource, token=tokens.CUSTOM_RESOURCE_DEFINITION, inputs=CustomResourceDefinitionInputs
):
    """A kind of objects that a cluster gets, by server-side apply. It counts as made when it is served."""

    applied: Annotated[Output[str], Field("digest of what was applied; empty when it was edited since")]
    generation: Annotated[Output[int], Field("metadata.generation of what was applied")]

    def __init__(
        self, name: str, opts: _Options = None, **inputs: Unpack[CustomResourceDefinitionInputs]
    ) -> None:
        super().__init__(name, opts, inputs)


class AdmissionInputs(TypedDict):
    kubeconfig: Annotated[Input[str], Field("text of a kubeconfig of the cluster", secret=True)]
    collection: Annotated[str, Field("path of the objects of the kind, such as `/api/v1/namespaces`")]
    probe: Annotated[Mapping[str, Any], Field("an object that whoever is asked lets through; it is not kept")]
    server: Annotated[str, Field("who is asked, with its version: another one is tried anew")]


class Admission(_Resource, token=tokens.ADMISSION, inputs=AdmissionInputs):
    """That a cluster's API server reaches those whom it asks about objects of a kind, and takes one."""

    collection: Output[str]
    probe: Output[Mapping[str, Any]]
    server: Output[str]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[AdmissionInputs]) -> None:
        super().__init__(name, opts, inputs)


class NodeTaintsInputs(TypedDict):
    kubeconfig: Annotated[Input[str], Field("text of a kubeconfig of the cluster", secret=True)]
    node: Annotated[str, Field("name of the Node")]
    taints: Annotated[Mapping[str, str], Field("value of each taint, empty for none, by its `key:effect`")]


class NodeTaints(_Resource, token=tokens.NODE_TAINTS, inputs=NodeTaintsInputs):
    """Taints of a node, each put in and taken out alone: all others stay as they are."""

    applied: Annotated[Output[Mapping[str, str]], Field("those of `taints` that the Node has")]
    node: Output[str]

    def __init__(self, name: str, opts: _Options = None, **inputs: Unpack[NodeTaintsInputs]) -> None:
        super().__init__(name, opts, inputs)


def _issuer(issuer: CertificateAuthority | None) -> dict[str, Input[str]] | None:
    """The issuer as the provider reads it."""
    if issuer is None:
        return None
    return {
        "certificate": issuer.certificate,
        "private_key": Output.secret(issuer.private_key),
        "chain": issuer.chain,
        "root_certificate": issuer.root_certificate,
    }


def _run(opts: _Options, token: str) -> str | None:
    """Return what the resource's provider knows of this run, whether the resource names it or inherits it."""
    provider = opts.provider if opts else None
    if provider is None and opts and opts.parent:
        provider = opts.parent.get_provider(token)
    return provider.run if isinstance(provider, CrossmeshProvider) else None
