"""Rules over what several columns have: versions and images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import releases
from stacks.errors import KeyPath
from stacks.model import AdoptedClusterSpec, Model, UnlistedPair
from stacks.model.base import VERSION
from stacks.pairs import pair_of, unlisted, written
from stacks.rules.check import Check, repeated

_HOST = r"([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(:\d+)?"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_DIGEST = r"@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})"
_IMAGE = re.compile(rf"^({_HOST}/)?{_PART}(/{_PART})*(:\w[\w.-]{{0,127}})?({_DIGEST})?$", re.ASCII)


def versions_are_supported(check: Check) -> None:
    """A version is one of the catalogue's: of another nobody knows images, charts and what it runs with.

    `distribution` stands for the one that hosts have from theirs, where that is the default.
    """
    places: dict[KeyPath, Model] = {("versions",): check.environment.versions}
    places |= {
        ("regions", name, "versions"): spec.versions for name, spec in check.environment.regions.items()
    }
    for path, declared in places.items():
        for program, version in declared.model_dump(exclude_none=True).items():
            default = releases.default(program)
            supported = releases.versions(program)
            supported = (default, *supported) if default == releases.DISTRIBUTION else supported
            if version not in supported and check.intact(*path, program):
                check.problem(
                    (*path, program),
                    version,
                    f"supported versions of {program}: {', '.join(supported)}",
                    f"write {default}",
                )


def releases_go_together(check: Check) -> None:
    """Releases of a region run with each other, by their makers' tables: what goes wrong else comes late.

    Istio and MetalLB run on certain versions of Kubernetes; an adopted cluster is asked for its own. A later
    Kubernetes than Istio's list has may be taken by an entry of `unlistedPairs`.
    """
    said = set()
    for region, spec in check.environment.regions.items():
        adopted = isinstance(spec.cluster, AdoptedClusterSpec)
        declared = check.environment.installed_in(region)
        # Of a version that is not supported at all another rule speaks.
        if not adopted and declared["kubernetes"] not in releases.versions("kubernetes"):
            continue
        for clash, taken in unlisted(check.environment, region):
            if taken:
                continue
            path = _place(check, region, (clash.other, clash.release.program))
            if (path, str(clash)) in said or not check.intact(*path):
                continue
            said.add((path, str(clash)))
            check.problem(path, str(clash), clash.rule, _together(clash, declared, adopted=adopted))


def _place(check: Check, region: str, programs: tuple[str, str]) -> KeyPath:
    """Where versions of a region that do not go together are declared: the nearest line that can change."""
    paths = [check.environment.version_path(region, program) for program in programs]
    declared = {("versions", program) for program in check.declared("versions")}
    known = [path for path in paths if path[0] == "regions" or path in declared]
    own = [path for path in known if path[2:3] == ("versions",)]
    return (own or known or paths)[0]


def _together(clash: releases.Clash, declared: Mapping[str, str | None], *, adopted: bool) -> str:
    """How two releases are made to go together: by what the catalogue has of either."""
    fixed = {"kubernetes"} if adopted else set()
    options = [
        f"{program}: {' or '.join(fitting)}"
        for program in (clash.other, clash.release.program)
        if program not in fixed and (fitting := releases.suitable(program, declared))
    ]
    name, other = releases.NAMES[clash.release.program], releases.NAMES[clash.other]
    none = f"no release of {name} in docs/releases.md runs on {other} {clash.version}"
    pair = pair_of(clash)
    taking = f"take the pair upon yourself by `unlistedPairs: [{written(pair)}]`" if pair else ""
    if adopted and not options and pair:
        return f"{taking}: {none}"
    if adopted and not options:
        is_old = releases.numbers(clash.version) < releases.numbers(clash.release.runs_on[clash.other].oldest)
        return f"{'have its owner upgrade the cluster' if is_old else 'wait for one that does'}: {none}"
    todo = "change one of the two versions" + (f": {', or '.join(options)}" if options else "")
    todo += f", or {taking}" if taking else ""
    runs = any(
        releases.release(clash.release.program, version).supports(clash.other, clash.version)
        for version in releases.versions(clash.release.program)
    )
    return todo if runs else f"{todo}; {none}"


def unlisted_pairs_take_something(check: Check) -> None:
    """An entry of `unlistedPairs` names a pair that a region has and no list does: what stays there for
    nothing would take one that somebody comes to by chance.
    """
    regions = check.environment.regions
    own = {name for name, spec in regions.items() if spec.unlisted_pairs is not None}
    places: dict[KeyPath, tuple[tuple[UnlistedPair, ...], set[str]]] = {
        ("unlistedPairs",): (check.environment.unlisted_pairs, regions.keys() - own)
    }
    for name in sorted(own):
        places["regions", name, "unlistedPairs"] = (regions[name].unlisted_pairs or (), {name})
    for path, (pairs, heeding) in places.items():
        met = {pair_of(clash) for name in heeding for clash, _ in unlisted(check.environment, name)}
        again = [later for _, later in repeated(enumerate(pairs), by=lambda entry: entry[1])]
        for number, pair in enumerate(pairs):
            rule = "it is there already" if (number, pair) in again else _nothing_taken(pair)
            if not rule and pair not in met:
                rule = f"no region that it is for has both: {_both(check, heeding)}"
            if rule:
                check.problem((*path, number), written(pair), rule, "remove it, or name the two of a region")


def _nothing_taken(pair: UnlistedPair) -> str:
    """Why there is nothing to take upon oneself, or why nobody may; empty where one may."""
    if pair.istio not in releases.versions("istio"):
        return f"supported versions of istio: {', '.join(releases.versions('istio'))}"
    istio = releases.release("istio", pair.istio)
    needs = istio.runs_on["kubernetes"]
    listed = f"{releases.NAMES['istio']} {releases.minor(pair.istio)} runs on Kubernetes {needs}"
    if not re.fullmatch(VERSION, pair.kubernetes):
        return "a version of Kubernetes is 1.36.3, or 1.36 of an adopted cluster"
    if needs.hold(pair.kubernetes):
        return f"{listed}: its makers list the pair ({needs.source})"
    if not needs.end_before(pair.kubernetes):
        return f"{listed}: an earlier one was left out by its makers, and is not for operators to take"
    return "" if needs.beyond else f"{listed}: a later one is known to break ({needs.source})"


def _both(check: Check, regions: Iterable[str]) -> str:
    """What regions have of the two programs, in words."""
    found = {name: check.environment.installed_in(name) for name in sorted(regions)}
    said = (f"{name} has Istio {has['istio']}, Kubernetes {has['kubernetes']}" for name, has in found.items())
    return "; ".join(said) or "each has a list of its own"


def versions_of_regions_install_something(check: Check) -> None:
    """A region names a version of what is installed there only.

    An adopted cluster has its Kubernetes and containerd already, and MetalLB is where load-balancer addresses
    are declared.
    """
    for region, spec in check.environment.regions.items():
        path = ("regions", region, "versions")
        adopted = isinstance(spec.cluster, AdoptedClusterSpec)
        if adopted and spec.versions.kubernetes is not None:
            check.problem(
                (*path, "kubernetes"),
                spec.versions.kubernetes,
                "Crossmesh installs no Kubernetes into an adopted cluster",
                "say which one it has by `kubernetesVersion` of its `cluster`",
            )
        if adopted and spec.versions.containerd is not None:
            check.problem(
                (*path, "containerd"),
                spec.versions.containerd,
                "nodes of an adopted cluster are its owner's, and have a containerd",
                "remove it",
            )
        if spec.load_balancer is None and spec.versions.metallb is not None:
            check.problem(
                (*path, "metallb"),
                spec.versions.metallb,
                "MetalLB is installed in regions with `loadBalancer`",
                "remove it",
            )


def images_are_references(check: Check) -> None:
    """An image's name is one that container runtimes read: pods wait for ever with `InvalidImageName` else.

    The grammar is that of the distribution project, `reference`.
    """
    for path, image in _images(check):
        if not _IMAGE.match(image):
            name, _, rest = image.partition("@")
            lower = f"{name.lower()}@{rest}" if rest else name.lower()
            bare = image.removeprefix("https://").removeprefix("http://")
            better = next((one for one in (lower, bare, bare.lower()) if _IMAGE.match(one)), "")
            check.problem(
                path,
                image,
                "an image is registry/name:tag or registry/name@sha256:digest, in lower case up to the tag, "
                "without scheme and spaces",
                f"write {better}" if better else "write it for example as registry.example.org/shop:1.0.0",
            )


def images_have_a_fixed_tag(check: Check) -> None:
    """An image names a tag other than `latest`, or a digest: two nodes might run two programs otherwise."""
    for path, image in _images(check):
        if "@" in image or not _IMAGE.match(image):
            continue
        _, _, tag = image.rpartition("/")[2].partition(":")
        if not tag or tag == "latest":
            check.problem(
                path,
                image,
                "an image has a tag other than `latest`, or a digest",
                f"write {image.removesuffix(':latest')}:<version>",
            )


def _images(check: Check) -> Iterator[tuple[KeyPath, str]]:
    yield ("probeImage",), check.environment.probe_image
    for name, application in check.environment.applications.items():
        yield ("applications", name, "image"), application.image


RULES = (
    versions_are_supported,
    releases_go_together,
    unlisted_pairs_take_something,
    versions_of_regions_install_something,
    images_are_references,
    images_have_a_fixed_tag,
)
