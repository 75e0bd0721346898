"""What a new release's file says: read in its source, given, or taken over from the nearest release.

Nothing is guessed: what can be had in none of these ways is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

import releases
from releases import NAMES, Data, Needs, Release, Seen, Support, minor, numbers
from report.errors import ConfigurationError
from toolchain.errors import ToolchainError
from upkeep import module
from upkeep.go_mod import GoMod

_CONSTANTS = Path("cmd/kubeadm/app/constants/constants.go")
_MANIFESTS = Path("config/manifests/metallb-native.yaml")


@dataclass(frozen=True)
class Given:
    """What whoever adds a release says of it, each with who else says so."""

    support: Support | None = None
    runs_on: Mapping[str, Needs] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a release's source says."""

    words: tuple[str, ...]
    """The same in words, with where it was read."""
    images: Mapping[str, str]
    brings: Mapping[str, str] = field(default_factory=dict)
    packages: str = ""
    runs_on: Mapping[str, Needs] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """A new release, and where what is said of it comes from."""

    release: Release
    read: tuple[str, ...]
    taken_over: tuple[str, ...]


def nearest(program: str, version: str) -> Release:
    """The catalogue's release that a version is most like: of its minor, else of those before it."""
    has = [one for one in releases.versions(program) if one != version]
    same = [one for one in has if minor(one) == minor(version)]
    before = [one for one in has if numbers(one) < numbers(version)]
    if same:
        wanted = numbers(version)[-1]
        return releases.release(program, min(same, key=lambda one: abs(numbers(one)[-1] - wanted)))
    return releases.release(program, (before or has)[-1 if before else 0])


def derive(
    program: str, version: str, like: Release, directory: Path, go_mod: GoMod, given: Given | None = None
) -> Made:
    """The release of a version.

    like: what is taken over comes from this one. directory, go_mod: its source.

    Raises `ConfigurationError` that names all that must be given, and ToolchainError for a source that is not
    what is expected of it.
    """
    given, taken, missing = given or Given(), [], []
    facts = _READ[program](version, like, directory, go_mod)
    support = given.support or _support(program, version, like)
    if support is None:
        missing.append('--until DATE "WHO SAYS SO"')
    elif support is not given.support:
        taken.append(f"support: until {support.until or 'an end that nobody states'} ({support.source})")
    runs_on = {**facts.runs_on, **given.runs_on}
    for other, needs in like.runs_on.items():
        if other not in runs_on and minor(like.version) == minor(version):
            runs_on[other] = needs
            taken.append(f"runs with {NAMES[other]} {needs} ({needs.source})")
        elif other not in runs_on:
            missing.append(f'--runs-on {other}=VERSION,… "WHO SAYS SO"')
    if support is None or missing:
        raise ConfigurationError(
            f"what the makers of {NAMES[program]} {version} publish of it beside its source is not known, "
            f"and {like.name} is of another minor version",
            fix=f"give {' and '.join(missing)}",
        )
    release = replace(
        like,
        version=version,
        seen=Seen.READ,
        module=module.name(program, version),
        support=support,
        packages=facts.packages,
        brings=facts.brings,
        images=facts.images,
        data={kind: Data(one.name, version) for kind, one in like.data.items()},
        runs_on={other: runs_on[other] for other in (*like.runs_on, *runs_on)},
    )
    return Made(release, facts.words, tuple(taken))


def _support(program: str, version: str, like: Release) -> Support | None:
    """How long it is mended, by what the catalogue knows; None where that must be said."""
    # Where its makers state no end, they do so for every release.
    if minor(like.version) == minor(version) or like.support.until is None:
        return like.support
    return releases.support(program, version)


def _kubernetes(version: str, like: Release, directory: Path, go_mod: GoMod) -> Facts:
    """What its kubeadm asks for: it is kubeadm that chooses etcd, CoreDNS and the pause image."""
    asked = constants((directory / _CONSTANTS).read_text(encoding="utf-8"))
    tags = {
        "coredns": asked["CoreDNSVersion"],
        "etcd": asked["DefaultEtcdVersion"],
        "pause": asked["PauseVersion"],
    }
    images = {
        image: f"{reference.rpartition(':')[0]}:{tags.get(image, f'v{version}')}"
        for image, reference in like.images.items()
    }
    brings = {"coredns": tags["coredns"].removeprefix("v"), "etcd": tags["etcd"].partition("-")[0]}
    packages = like.packages.replace(like.version, version)
    words = (
        f"etcd {brings['etcd']}, CoreDNS {brings['coredns']}, pause {tags['pause']}: {_CONSTANTS}",
        f"packages {packages}: as those of {like.version} are called",
    )
    return Facts(words, images, brings, packages)


def constants(text: str) -> dict[str, str]:
    """The versions that a kubeadm asks for, out of its Go source: by the names of its constants.

    Raises ToolchainError when that source is written in another way: then somebody must look.
    """
    found = {}
    for name in ("CoreDNSVersion", "DefaultEtcdVersion", "PauseVersion"):
        values = re.findall(rf'^\t{name}(?: string)? = "(v?[\d.]+(?:-\d+)?)"$', text, re.MULTILINE)
        if len(values) != 1:
            raise ToolchainError(
                f"{_CONSTANTS}: {name} is not one constant text any more. Read it, and tell here how"
            )
        found[name] = values[0]
    table = re.search(
        r"^\tSupportedEtcdVersion = map\[uint8\]string\{\n(.*?)^\t\}$", text, re.MULTILINE | re.DOTALL
    )
    by_minor = re.findall(r'^\t\t.+: +"([^"]+)",$', table[1], re.MULTILINE) if table else []
    # Of its own minor kubeadm takes the entry, of one that the table has not the last.
    if not by_minor or by_minor[-1] != found["DefaultEtcdVersion"]:
        raise ToolchainError(
            f"{_CONSTANTS}: SupportedEtcdVersion ends with {by_minor[-1] if by_minor else 'nothing'}, and "
            f"DefaultEtcdVersion is {found['DefaultEtcdVersion']}: which of them it takes must be read"
        )
    return found


def _containerd(version: str, like: Release, directory: Path, go_mod: GoMod) -> Facts:
    """Nothing but its name: it has neither images nor charts, and runs on whatever asks for it."""
    packages = like.packages.replace(like.version, version)
    return Facts((f"packages {packages}: as those of {like.version} are called",), {}, packages=packages)


def _istio(version: str, like: Release, directory: Path, go_mod: GoMod) -> Facts:
    """What it is built on, by its go.mod."""
    api = _required(go_mod, "istio.io/api")
    if minor(api) != minor(version):
        raise ToolchainError(
            f"the module is of Istio {minor(api)}, by its istio.io/api {api}: not of {version}"
        )
    gateway = minor(_required(go_mod, "sigs.k8s.io/gateway-api"))
    # A library of Kubernetes has its minor: v0.35.0 of 1.35.
    kubernetes = f"1.{numbers(_required(go_mod, 'k8s.io/api'))[1]}"
    before = like.runs_on.get("gateway-api")
    same = before is not None and before.versions == (gateway,)
    needs = before if same and before else Needs((gateway,), "its go.mod")
    words = (
        f"Gateway API {gateway}, Kubernetes {kubernetes}, which it is built on: go.mod",
        f"images: where those of {like.version} are, {', '.join(_repositories(like))}",
    )
    images = {image: f"{ref.rpartition(':')[0]}:{version}" for image, ref in like.images.items()}
    return Facts(words, images, runs_on={"gateway-api": needs})


def _required(go_mod: GoMod, path: str) -> str:
    """The version of a module that it needs, without `v`."""
    if path not in go_mod.requires:
        raise ToolchainError(f"its go.mod does not need {path} any more: what it is built on must be read")
    return go_mod.requires[path].removeprefix("v")


def _metallb(version: str, like: Release, directory: Path, go_mod: GoMod) -> Facts:
    """The images that its own manifests name."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    images = {
        container["name"]: container["image"]
        for document in yaml.load_all((directory / _MANIFESTS).read_text(encoding="utf-8"), Loader=loader)
        if document and document["kind"] in ("Deployment", "DaemonSet")
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    if images.keys() != like.images.keys() or any(
        not ref.endswith(f":v{version}") for ref in images.values()
    ):
        raise ToolchainError(
            f"{_MANIFESTS} of MetalLB {version} names {', '.join(sorted(images.values()))}: expected are "
            f"{' and '.join(sorted(like.images))} of v{version}"
        )
    return Facts((f"images: {_MANIFESTS}",), {name: images[name] for name in like.images})


def _repositories(release: Release) -> Iterator[str]:
    yield from sorted({reference.rpartition("/")[0] for reference in release.images.values()})


_READ: Mapping[str, Callable[[str, Release, Path, GoMod], Facts]] = {
    "containerd": _containerd,
    "istio": _istio,
    "kubernetes": _kubernetes,
    "metallb": _metallb,
}
