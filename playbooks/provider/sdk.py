"""What a Pulumi program uses of the Crossmesh provider: its resources and the provider resource itself.

Property names are the same here, in the engine's protocol and in the state: nothing is translated, so the
keys of `variables` arrive at Ansible as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions


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
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the provider.

        preview: whether the program runs for a preview (`pulumi.runtime.is_dry_run()`): what cannot be
            measured is then a warning, and an error in `up`.
        hosts: name of each host → its phases in order, for example `{"eu-cp-1": ["prepare",
            "control-plane"]}`. In `up`, every host whose first phase changes is reached before the first host
            is changed.
        """
        first_phases = {host: str(phases[0]) for host, phases in hosts.items() if phases}
        self.run = json.dumps({"preview": preview, "first_phases": first_phases}, sort_keys=True)
        """What the provider is told of this run, JSON."""
        super().__init__("crossmesh", name, {}, opts)


class CertificateAuthority(pulumi.CustomResource):
    """A certificate authority: a root, or an intermediate of `issuer`. Renewal keeps its key."""

    certificate: Output[str]
    """Its certificate, PEM."""
    private_key: Output[str]
    """Its private key, PEM (PKCS #8); a secret."""
    chain: Output[str]
    """Its certificate and the intermediates above it, without the root; for a root its own certificate.

    PEM.
    """
    root_certificate: Output[str]
    """The certificate of the root that it ends in, PEM."""
    not_after: Output[str]
    """When its certificate expires (RFC 3339, UTC)."""
    public_key_hash: Output[str]
    """`sha256:<hex>` of its SubjectPublicKeyInfo, as kubeadm's discovery expects it."""

    def __init__(
        self,
        name: str,
        *,
        common_name: Input[str],
        validity_days: Input[int],
        renew_before_days: Input[int],
        organization: Input[str] | None = None,
        path_length: Input[int] | None = None,
        dns_names: Sequence[Input[str]] = (),
        private_key: Input[str] | None = None,
        issuer: CertificateAuthority | Mapping[str, Input[str]] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the authority.

        validity_days, renew_before_days: days; it is renewed by the first `up` within `renew_before_days` of
        its end.
        path_length: how many authorities may stand below it; None for no limit.
        dns_names: subject alternative names.
        private_key: PEM of the key to use; None to generate one (ECDSA P-256).
        issuer: the authority above; None for a self-signed root.
        """
        super().__init__(
            "crossmesh:tls:CertificateAuthority",
            name,
            {
                "common_name": common_name,
                "organization": organization,
                "validity_days": validity_days,
                "renew_before_days": renew_before_days,
                "path_length": path_length,
                "dns_names": list(dns_names),
                "private_key": None if private_key is None else Output.secret(private_key),
                "issuer": _issuer(issuer),
                "certificate": None,
                "chain": None,
                "root_certificate": None,
                "not_after": None,
                "public_key_hash": None,
            },
            _with_secrets(opts, "private_key"),
        )


class Certificate(pulumi.CustomResource):
    """A certificate for a server, a client or both; each renewal has a new key (ECDSA P-256)."""

    certificate: Output[str]
    """The certificate, PEM."""
    private_key: Output[str]
    """Its private key, PEM (PKCS #8); a secret."""
    chain: Output[str]
    """The certificate and the intermediates above it, without the root, as a server presents them. PEM."""
    not_after: Output[str]
    """When it expires (RFC 3339, UTC)."""

    def __init__(
        self,
        name: str,
        *,
        common_name: Input[str],
        issuer: CertificateAuthority | Mapping[str, Input[str]],
        validity_days: Input[int],
        renew_before_days: Input[int],
        organizations: Sequence[Input[str]] = (),
        dns_names: Sequence[Input[str]] = (),
        ip_addresses: Sequence[Input[str]] = (),
        uris: Sequence[Input[str]] = (),
        usages: Sequence[Input[str]] = ("server auth",),
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the certificate.

        usages: of `server auth` and `client auth`, one or both.
        validity_days, renew_before_days: days; it is renewed by the first `up` within `renew_before_days` of
        its end.
        """
        super().__init__(
            "crossmesh:tls:Certificate",
            name,
            {
                "common_name": common_name,
                "organizations": list(organizations),
                "dns_names": list(dns_names),
                "ip_addresses": list(ip_addresses),
                "uris": list(uris),
                "usages": list(usages),
                "validity_days": validity_days,
                "renew_before_days": renew_before_days,
                "issuer": _issuer(issuer),
                "certificate": None,
                "private_key": None,
                "chain": None,
                "not_after": None,
            },
            _with_secrets(opts, "private_key"),
        )


class HostPhase(pulumi.CustomResource):
    """One phase of one host, made by its playbook.

    It changes when its variables or its roles do, and only then.
    """

    digest: Output[str]
    """Digest of the variables, secret variables and roles that the host was last brought to."""
    host: Output[str]
    """Name of the host."""
    phase: Output[str]
    """The phase, one of `playbooks.work.PHASES`."""

    def __init__(
        self,
        name: str,
        *,
        host: str,
        phase: str,
        connection: Mapping[str, Any],
        variables: Input[Mapping[str, Any]],
        secret_variables: Input[Mapping[str, Any]] | None = None,
        file_variables: Mapping[str, Any] | None = None,
        kubeconfig: Input[str] | None = None,
        reset_on_delete: bool = False,
        region: str | None = None,
        declared: str | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the phase.

        connection: `address`, `port`, `user`, `privateKeyFile`, `knownHostsFile`; not part of the digest.
        variables: the role variables that concern this host and phase, and nothing else.
        secret_variables: role variables that are secrets; the digest covers them by a salted hash.
        file_variables: role variables that are texts of files of this machine: a path, or a mapping of such.
            The digest covers what the files say; one that a preview's machine does not have counts as
            unchanged.
        kubeconfig: for `join`: of the cluster. The join token is made in it just before the playbook and
            deleted right after it; the node is drained and taken out of it before the host is reset. Not part
            of the digest.
        reset_on_delete: run the reset playbook when the resource is deleted; otherwise the host is left as it
        is.
        region, declared: the region that it belongs to, and the key of the declaration that it comes from;
        for whoever reads the state, not part of the digest.
        """
        super().__init__(
            "crossmesh:hosts:HostPhase",
            name,
            {
                "host": host,
                "phase": str(phase),
                "connection": dict(connection),
                "variables": variables,
                "secret_variables": None if secret_variables is None else Output.secret(secret_variables),
                "file_variables": file_variables,
                "kubeconfig": None if kubeconfig is None else Output.secret(kubeconfig),
                "reset_on_delete": reset_on_delete,
                "region": region,
                "declared": declared,
                "run": _run(opts, "crossmesh:hosts:HostPhase"),
                "digest": None,
            },
            _with_secrets(opts, "secret_variables", "kubeconfig"),
        )


class ClusterIdentity(pulumi.CustomResource):
    """The check that a kubeconfig still leads to the cluster that it led to: the UID of its `kube-system`.

    Take `kubeconfig` from here for everything that is written into the cluster: then nothing is written
    before the check, which is made on every run.
    """

    uid: Output[str]
    """UID of the namespace `kube-system`."""
    kubeconfig: Output[str]
    """The kubeconfig, unchanged; a secret."""

    def __init__(
        self, name: str, *, cluster: str, kubeconfig: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        """Declare the check. cluster: its name in messages. kubeconfig: text of a kubeconfig."""
        super().__init__(
            "crossmesh:kubernetes:ClusterIdentity",
            name,
            {
                "cluster": cluster,
                "kubeconfig": Output.secret(kubeconfig),
                "run": _run(opts, "crossmesh:kubernetes:ClusterIdentity"),
                "uid": None,
            },
            _with_secrets(opts, "kubeconfig"),
        )


class ServiceAccountToken(pulumi.CustomResource):
    """A token of a service account with an end, by the TokenRequest API; renewed by the first `up` near its
    end."""

    token: Output[str]
    """The token; a secret."""
    expires_at: Output[str]
    """When it expires (RFC 3339, UTC), as the API server answered."""

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: Input[str],
        namespace: Input[str],
        service_account: Input[str],
        expiration_seconds: Input[int],
        renew_before_seconds: Input[int],
        opts: ResourceOptions | None = None,
    ) -> None:
        """Declare the token. expiration_seconds: at least 600, Kubernetes' own least."""
        super().__init__(
            "crossmesh:kubernetes:ServiceAccountToken",
            name,
            {
                "kubeconfig": Output.secret(kubeconfig),
                "namespace": namespace,
                "service_account": service_account,
                "expiration_seconds": expiration_seconds,
                "renew_before_seconds": renew_before_seconds,
                "token": None,
                "expires_at": None,
            },
            _with_secrets(opts, "kubeconfig", "token"),
        )


def _issuer(issuer: CertificateAuthority | Mapping[str, Input[str]] | None) -> dict[str, Input[str]] | None:
    """The issuer as the provider reads it: certificate, key (a secret), and where known its chain and
    root."""
    if issuer is None:
        return None
    if isinstance(issuer, CertificateAuthority):
        return {
            "certificate": issuer.certificate,
            "private_key": Output.secret(issuer.private_key),
            "chain": issuer.chain,
            "root_certificate": issuer.root_certificate,
        }
    return {**issuer, "private_key": Output.secret(issuer["private_key"])}


def _run(opts: ResourceOptions | None, token: str) -> str | None:
    """Return what the resource's provider knows of this run, whether the resource names it or inherits it."""
    provider = opts.provider if opts else None
    if provider is None and opts and opts.parent:
        provider = opts.parent.get_provider(token)
    return provider.run if isinstance(provider, CrossmeshProvider) else None


def _with_secrets(opts: ResourceOptions | None, *outputs: str) -> ResourceOptions:
    """The caller's options, with `outputs` kept as secrets."""
    return ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=list(outputs)))
