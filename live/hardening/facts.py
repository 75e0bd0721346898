"""What is known of a host and of a cluster before anything is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

KUBELET = "kubelet"
PROXY = "kube-proxy"


@dataclass(frozen=True)
class File:
    """A file or directory of a host."""

    path: str
    mode: int
    """Permission bits."""
    owner: str
    """`user:group`."""


@dataclass(frozen=True)
class Arguments:
    """The flags of a program."""

    values: Mapping[str, tuple[str, ...]]
    """By name, without dashes; a flag that is given several times has several."""

    @classmethod
    def of(cls, told: Sequence[Sequence[str]]) -> Arguments:
        """From pairs of name and value, in the order in which they stand."""
        values: dict[str, tuple[str, ...]] = {}
        for name, value in told:
            values[name] = (*values.get(name, ()), value)
        return cls(values)

    def last(self, name: str) -> str | None:
        """The value that counts of a flag with one; None where it is not given."""
        return self.values[name][-1] if name in self.values else None

    def items(self, name: str) -> list[str]:
        """All values of a flag that takes a list."""
        return [one.strip() for value in self.values.get(name, ()) for one in value.split(",") if one.strip()]


@dataclass(frozen=True)
class Authentication:
    """What an authentication configuration says."""

    issuers: int
    """How many issuers of people's tokens it names."""
    anonymous: tuple[str, ...] | None
    """Paths that whoever says nothing of himself may ask for, `*` for all; None where a flag decides."""

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> Authentication:
        """From what the reader says."""
        anonymous = document["anonymous"]
        return cls(document["issuers"], None if anonymous is None else tuple(anonymous))


@dataclass(frozen=True)
class HostFacts:
    """What the reader on a host tells. Nothing in it is secret."""

    files: Mapping[str, tuple[File, ...]] = field(default_factory=dict)
    """What is there of each pattern that was asked for."""
    arguments: Mapping[str, Arguments] = field(default_factory=dict)
    """Of the programs of the control plane by their manifests, of kubelet by its process."""
    kubelet: Mapping[str, Any] = field(default_factory=dict)
    """Those settings of kubelet's files that were asked for, the later file before the earlier one."""
    sshd: Mapping[str, str] = field(default_factory=dict)
    """As sshd itself says that they are in effect; two values with a comma where root has another one."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    encryption: tuple[str, ...] | None = None
    """The first provider of each rule of the API server's encryption at rest; None where none is readable."""
    audit: tuple[str, ...] | None = None
    """What an audit policy names of what was asked for, `*` for all; None where none is readable."""
    authentication: Authentication | None = None
    """What the API server's authentication configuration says; None where none is readable."""

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> HostFacts:
        """From what the reader says."""
        encryption, audit = document["encryption"], document["audit"]
        authentication = document["authentication"]
        return cls(
            files={
                pattern: tuple(File(path, int(mode, 8), owner) for path, mode, owner in found)
                for pattern, found in document["files"].items()
            },
            arguments={name: Arguments.of(pairs) for name, pairs in document["arguments"].items()},
            kubelet=merged(document["kubelet"]),
            sshd=document["sshd"],
            sysctls=document["sysctls"],
            encryption=None if encryption is None else tuple(encryption),
            audit=None if audit is None else tuple(audit),
            authentication=authentication and Authentication.told(authentication),
        )


def merged(texts: Sequence[str]) -> dict[str, Any]:
    """Settings of several files, a later one over an earlier one as kubelet merges them: maps key by key."""
    settings: dict[str, Any] = {}
    for text in texts:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(document, dict):
            settings = _over(settings, document)
    return settings


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        before = both.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = _over(before, value)
        both[key] = value
    return both


@dataclass(frozen=True)
class ClusterFacts:
    """What a cluster's API shows. Of Secrets nothing is read."""

    objects: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By the plural of their kind; what could not be listed is in `problems`."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why some could not be listed."""
    groups: frozenset[str] = frozenset()
    """API groups that are served."""
    organizations: tuple[str, ...] = ()
    """Groups that the kubeconfig's client certificate gives whoever has it."""
    proxy: Mapping[str, Any] | None = None
    """kube-proxy's configuration as kubeadm keeps it; None where there is none."""
    adopted: bool = False
    """Whether the cluster is somebody else's."""

    def of(self, plural: str) -> Iterator[Mapping[str, Any]]:
        """All objects of a kind."""
        yield from self.objects.get(plural, ())
