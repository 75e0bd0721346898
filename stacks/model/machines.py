"""Machines: how they are reached, where they get software, what is special about them."""

from __future__ import annotations

from ipaddress import IPv4Address

from pydantic import Field

from stacks.model.base import Label, LoginName, Model, Port


class AptSource(Model):
    """One apt repository that hosts install from, with the key that signs it."""

    name: Label = Field(description="the name of the source's file on hosts")
    uri: str = Field(pattern=r"^https?://", description="the repository's address")
    suite: str = Field(description="the suite, for example bookworm")
    components: tuple[str, ...] = Field(default=("main",), description="the components of the suite")
    signed_by: str = Field(description="path of the ASCII-armoured public key, ~ and variables expanded")


class ImageBundles(Model):
    """Container images as signed archives on a site's mirror, for sites without a registry."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="the address of the directory that holds the bundles and SHA256SUMS",
    )
    signed_by: str = Field(description="path of the ASCII-armoured public key that signs SHA256SUMS")
    bundles: tuple[Label, ...] = Field(
        default=(), description="bundles of the site's own, for workers, beside those that the platform needs"
    )


class Sources(Model):
    """Where hosts get software.

    With no `apt`, the distribution's own repositories; with no `images`, registries.
    """

    apt: tuple[AptSource, ...] = Field(
        default=(), description="apt repositories; they replace those that the distribution came with"
    )
    images: ImageBundles | None = Field(
        default=None, description="bundles of container images; without it, images come from their registries"
    )


class Ssh(Model):
    """How the operator's machine reaches hosts. Host keys are always checked."""

    user: LoginName = Field(default="root", description="root, or one that becomes root without a password")
    port: Port = Field(default=22, description="the port of sshd")
    private_key_file: str = Field(
        description="path of the private key, not readable for others; ~ and environment variables expanded"
    )
    known_hosts_file: str = Field(
        description="path of the host keys, in the format of known_hosts(5); expanded likewise"
    )


class Login(Model):
    """What of `ssh` is different for some hosts."""

    user: LoginName | None = Field(default=None, description="the user to log in as")
    port: Port | None = Field(default=None, description="the port of sshd")
    private_key_file: str | None = Field(default=None, description="path of the private key; expanded too")


class HostProfile(Model):
    """Settings that a class of hosts needs because of how it is built, as containers used as machines do."""

    kubelet: dict[str, object] = Field(
        default={},
        description="merged into KubeletConfiguration of the declared release of Kubernetes",
    )
    kube_proxy: dict[str, object] = Field(
        default={}, description="merged into KubeProxyConfiguration of that release"
    )
    kubeadm_ignore_preflight: tuple[str, ...] = Field(
        default=(), description="kubeadm's preflight checks that do not apply to these machines"
    )
    containerd_restrict_oom_score_adj: bool = Field(
        default=False, description="for machines that may not lower OOM scores"
    )


class Host(Model):
    """A machine that ssh reaches."""

    address: IPv4Address = Field(description="its address in the machine network of its region")
    ssh: Login = Field(default=Login(), description="what is different from the region's `ssh` for this host")
