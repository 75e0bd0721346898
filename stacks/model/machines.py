"""Machines: how they are reached, where they get software, what is special about them."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import Field

from stacks.model.base import (
    HTTPS,
    PROXY,
    REGISTRY,
    UNPROXIED,
    URL,
    AptWord,
    BundleName,
    Label,
    LocalFile,
    LoginName,
    Model,
    Package,
    Port,
    SecretName,
    SshAddress,
)

DOCKER_HUB = "docker.io"
"""The registry of images that name none; its server has another name."""


class AptSource(Model):
    """One apt repository that hosts install from, with the key that signs it."""

    name: Label = Field(description="the name of the source's file on hosts")
    uri: str = Field(pattern=URL, description="the repository's address")
    suite: AptWord = Field(description="the suite, for example bookworm")
    components: tuple[AptWord, ...] = Field(default=("main",), description="the components of the suite")
    signed_by: LocalFile = Field(
        description="path of the ASCII-armoured public key, ~ and variables expanded"
    )
    distribution: str | None = Field(
        default=None,
        description="hosts of this distribution alone have it, such as debian-13; without it, all have it",
    )


class ImageBundles(Model):
    """Container images as signed archives on a site's mirror, for sites without a registry."""

    base_url: str = Field(
        pattern=URL,
        description="the address of the directory that holds the bundles and SHA256SUMS",
    )
    signed_by: LocalFile = Field(description="path of the ASCII-armoured public key that signs SHA256SUMS")
    bundles: tuple[BundleName, ...] = Field(
        default=(), description="bundles of the site's own, for workers, beside those that the platform needs"
    )


class Proxy(Model):
    """The HTTP proxy by which hosts reach what is outside: apt, image bundles, and registries."""

    http: str = Field(pattern=PROXY, description="the proxy for http:// addresses")
    https: str | None = Field(
        default=None,
        pattern=PROXY,
        description="the proxy for https:// addresses; without it, that of `http`",
    )
    beside: tuple[Annotated[str, Field(pattern=UNPROXIED)], ...] = Field(
        default=(),
        alias="except",
        description="what is reached without it, beside pods, services and the machines of the region: names "
        "(and what is below them), addresses, networks",
    )

    @property
    def for_https(self) -> str:
        """The proxy for https:// addresses."""
        return self.https or self.http


class Registry(Model):
    """A registry of container images: another way to it, how to log in, whom to trust.

    Nodes read a mirror or an authority at the next pull; for a login containerd starts anew, and pods run on.
    """

    name: str = Field(
        pattern=REGISTRY,
        description="its host, as images' names begin with it, with a port where they have one; docker.io "
        "for Docker Hub. A mirror that wants a login or has an authority of its own is declared as well",
    )
    mirror: str | None = Field(
        default=None,
        pattern=HTTPS,
        description="a mirror or pull-through cache that is asked first; where it fails, the registry itself "
        "is asked. A path that begins with /v2/ is taken as it is; to another one, /v2 is added",
    )
    login: SecretName | None = Field(
        default=None, description="name of the stack secret that holds `user:password`"
    )
    ca_file: LocalFile | None = Field(
        default=None,
        description="path of the authorities (PEM) that its certificate is checked by; expanded likewise",
    )


class Sources(Model):
    """Where hosts get software.

    With no `apt`, the distribution's own repositories; with no `images`, registries.
    """

    proxy: Proxy | None = Field(default=None, description="the way out, for sites where that is a proxy")
    registries: tuple[Registry, ...] = Field(
        default=(), description="registries that nodes reach in another way than directly, or log in to"
    )

    apt: tuple[AptSource, ...] = Field(
        default=(), description="apt repositories; they replace those that the distribution came with"
    )
    images: ImageBundles | None = Field(
        default=None, description="bundles of container images; without it, images come from their registries"
    )


class JumpHost(Model):
    """A host through which others are reached. Its host key is checked as theirs are, by the same file."""

    address: SshAddress = Field(description="its name or address, as this machine reaches it")
    user: LoginName = Field(description="the user to log in as")
    port: Port = Field(default=22, description="the port of its sshd")
    private_key_file: LocalFile | None = Field(
        default=None,
        description="path of the private key for it; without it, that of the host behind it",
    )


_KEY = (
    "path of the private key, not readable for others; of the public key for one that the ssh agent holds; "
    "~ and environment variables expanded"
)


class Ssh(Model):
    """How the operator's machine reaches hosts. Host keys are always checked.

    A certificate beside a private key (`KEY-cert.pub`) is shown with it. Of host keys, `@cert-authority`
    stands for all that it has signed.
    """

    user: LoginName = Field(default="root", description="root, or one that becomes root by sudo")
    port: Port = Field(default=22, description="the port of sshd")
    private_key_file: LocalFile | None = Field(
        default=None, description=f"{_KEY}; without it, all keys of the agent ($SSH_AUTH_SOCK) are tried"
    )
    known_hosts_file: LocalFile = Field(
        description="path of the host keys, in the format of known_hosts(5); expanded likewise"
    )
    become_password: SecretName | None = Field(
        default=None,
        description="name of the stack secret that holds the password for sudo; without it, none is needed",
    )
    jump: JumpHost | None = Field(default=None, description="the host through which hosts are reached")
    hardened: bool = Field(
        default=False,
        description="whether hosts' sshd takes keys alone, no passwords, and root not at all, or by a key "
        "where `user` is root. Hosts take it back by themselves unless a new login works",
    )


class Login(Model):
    """What of `ssh` is different for some hosts."""

    user: LoginName | None = Field(default=None, description="the user to log in as")
    port: Port | None = Field(default=None, description="the port of sshd")
    private_key_file: LocalFile | None = Field(default=None, description=_KEY)
    become_password: SecretName | None = Field(
        default=None, description="name of the stack secret that holds the password for sudo"
    )
    jump: JumpHost | None = Field(default=None, description="the host through which they are reached")
    direct: bool = Field(default=False, description="reached without the jump host that others have")

    def over(self, ssh: Ssh) -> Ssh:
        """`ssh` with what is different here."""
        own = {name: value for name, value in self if name in Ssh.model_fields and value is not None}
        return ssh.model_copy(update={**({"jump": None} if self.direct else {}), **own})


class HostLogin(Login):
    """What of `ssh` is different for one host."""

    address: SshAddress | None = Field(
        default=None, description="where ssh reaches it, by name or address, if that is not its `address`"
    )


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
    userspace_tunnels: bool = Field(
        default=False,
        description="for machines whose kernel has no WireGuard: their tunnels are wireguard-go's, which "
        "needs /dev/net/tun",
    )


PreflightCheck = Literal[
    "cgroups",
    "clock",
    "cni",
    "cores",
    "disks",
    "distribution",
    "firewall",
    "kernel",
    "kubelet",
    "memory",
    "ports",
    "runtime",
    "swap",
]
"""Checks before a host is touched whose refusal an operator may overrule."""


class Host(Model):
    """A machine that ssh reaches."""

    address: IPv4Address = Field(description="its address; in the machine network, where its region has one")
    ssh: HostLogin = Field(
        default=HostLogin(), description="what is different from the region's `ssh` for this host"
    )
    replaceable_packages: tuple[Package, ...] = Field(
        default=(),
        description="packages on it that may be removed, or changed although they are held; no others are",
    )
    accept: tuple[PreflightCheck, ...] = Field(
        default=(),
        description="checks of the preflight whose refusal does not keep it from being used",
    )

    @property
    def ssh_address(self) -> str:
        """Where ssh reaches it."""
        return self.ssh.address or str(self.address)

    @property
    def is_reached_elsewhere(self) -> bool:
        """Whether ssh reaches it at another address than its own. A name may lead to that."""
        return self.ssh_address.replace(".", "").isdigit() and self.ssh_address != str(self.address)
