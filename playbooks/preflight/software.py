"""What a host's facts mean for the software that it shall get: sources, packages, bundles, databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

import releases
from playbooks.preflight.expected import Expected
from playbooks.preflight.problem import Facts, Problem, listed
from playbooks.work.clusters import CONTAINERD

ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK"
_VERSION = re.compile(r"(?:\d+:)?(\d+\.\d+\.\d+)")
"""Upstream's version in that of a Debian package."""
_LAST = 9999
"""A patch that comes after every other of its minor version."""
SLOW_MIRROR = 20.0
"""Seconds for the lists of all sources."""
DATABASE_FORM = 2
"""The version of MaxMind's format that gdnsd 3.8.1 reads: `libgdmaps/gdgeoip2.c`."""
OLD_DATABASE = 30
"""Days: so long MaxMind's licence lets an older GeoLite2 be used beside a newer one."""
_KINDS = ("Country", "City", "Enterprise")
"""What types of databases that know countries have in their names."""


def mirror(facts: Facts, expected: Expected) -> Iterator[Problem]:
    mirror = facts["mirror"]
    if mirror and mirror["errors"]:
        yield Problem(
            f"its software sources cannot be read: {' '.join(mirror['errors'])[:500]}",
            "see the way from the host to them, their keys, and `sources.apt`",
        )
    elif mirror and mirror["seconds"] > SLOW_MIRROR:
        yield Problem(
            f"its software sources take {mirror['seconds']:.0f} s to read",
            "use a nearer mirror",
            refuses=False,
        )


def packages(facts: Facts, expected: Expected) -> Iterator[Problem]:
    planned = facts["packages"]
    if not planned:
        return
    if planned["error"]:
        yield Problem(
            f"apt cannot install what is declared: {planned['error'][:500]}",
            "declare sources that have it under `sources.apt`: Debian and Ubuntu have no kubeadm and no "
            "containerd.io",
        )
    if planned["carrying"]:
        what = f"remove {listed(planned['carrying'])} under pods that run"
        if "container_runtime_release" in expected.variables:
            yield Problem(f"installing will {what}, which end and start again", "", refuses=False)
        else:
            fix = "keep the release of `containerd` that its region has"
            yield Problem(f"installing would {what}", fix)
    named = set(expected.variables.get("base_replaceable_packages") or ())
    for verb, names in (("remove", planned["removes"]), ("change", planned["held"])):
        why = " which are held on it," if verb == "change" else ""
        if unnamed := [name for name in names if name not in named]:
            yield Problem(
                f"installing would {verb} {listed(unnamed)},{why} and nobody has said that it may",
                "take them off the host by hand, or name them in `replaceablePackages` of the host",
            )
        if said := [name for name in names if name in named]:
            yield Problem(f"installing will {verb} {listed(said)}, as declared", "", refuses=False)

    yield from _pairs(planned, expected)


def _pairs(planned: Facts, expected: Expected) -> Iterator[Problem]:
    """A containerd that the declared Kubernetes is not made for. Distributions mend theirs by its number."""
    kubernetes = expected.kubernetes
    versions = {**planned["there"], **{name: after for name, (_, after) in planned["installs"].items()}}
    found = _VERSION.match(versions.get(CONTAINERD) or versions.get("containerd", ""))
    if found is None or kubernetes not in releases.versions("kubernetes"):
        return
    needs = releases.release("kubernetes", kubernetes).runs_on.get("containerd")
    if needs and not needs.hold(f"{releases.minor(found[1])}.{_LAST}"):
        yield Problem(
            f"it has containerd {found[1]}, and Kubernetes {kubernetes} runs with containerd {needs}",
            "name a release by `containerd` in `versions`, declare a source under `sources.apt` that has one "
            "of these, or install a later distribution",
            refuses=False,
        )


def images(facts: Facts, expected: Expected) -> Iterator[Problem]:
    seen = facts["images"]
    if not seen:
        return
    key = expected.variables.get("images_public_key")
    if key and not key.lstrip().startswith(ARMOUR):
        yield Problem(
            "the key that signs image bundles is not an ASCII-armoured OpenPGP public key",
            "name the file that `gpg --armor --export` writes as `sources.images.signedBy`",
        )
    if seen["error"]:
        yield Problem(
            f"the mirror of image bundles cannot be read: {seen['error'][:500]}",
            "see the way from the host to it, and `sources.images.baseUrl`",
        )
        return
    wanted = expected.variables.get("images_bundles") or ()
    if missing := [name for name in wanted if name not in seen["listed"]]:
        there = listed(seen["listed"]) or "none"
        yield Problem(
            f"the mirror lists no image bundle {listed(missing)}; it lists {there}",
            "have the mirror bring it; a bundle of your own is named in `sources.images.bundles`",
        )


def database(found: Facts, now: float) -> Iterator[Problem]:
    """What stands against a database of countries. now: seconds since the epoch, by the host's clock."""
    path = found["path"]
    if found["error"]:
        yield Problem(
            f"the database of countries {path} cannot be used: {found['error']}; gdnsd does not start",
            "bring it there, for example by geoipupdate, or declare the `geoipDatabase` that is there",
        )
        return
    if found["form"] != DATABASE_FORM:
        yield Problem(
            f"{path} has version {found['form']} of MaxMind's format, gdnsd reads {DATABASE_FORM}",
            f"bring one of version {DATABASE_FORM}",
        )
    elif not found["readable"]:
        yield Problem(
            f"the name server runs as the user gdnsd, who may not read {path}: it would not start anew",
            f"let others read it: chmod o+r {path}, and o+x on the directories above it",
        )
    if not any(kind in found["type"] for kind in _KINDS):
        yield Problem(
            f"{path} is of the type '{found['type']}': one that knows no countries leads all as "
            "clients of no place",
            "bring a database of countries or cities",
            refuses=False,
        )
    days = (now - found["built"]) / 86400
    if days > OLD_DATABASE:
        yield Problem(
            f"{path} was built {days:.0f} days ago: whose network has moved since is led as before",
            "renew it, for example by a timer for geoipupdate",
            refuses=False,
        )
