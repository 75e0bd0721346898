"""A release as the text of its file in the catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from releases import Release, minor

_COMMENTS = {
    (
        "",
        "programs",
    ): "Modules that its programs are made of cannot be had: its source has its charts alone.",
    (
        "kubernetes",
        "packages",
    ): "Version of upstream's Debian packages: pkgs.k8s.io/core:/stable:/v{minor}/deb",
    ("kubernetes", "brings"): "What kubeadm asks for by name: cmd/kubeadm/app/constants of this release.",
}


def text(release: Release) -> str:
    """The text, from which `releases.read` makes the same release again."""

    def comment(key: str) -> list[str]:
        words = _COMMENTS.get((release.program, key)) or _COMMENTS.get(("", key))
        return [f"# {words.format(minor=minor(release.version))}"] if words else []

    head = [f"seen = {_value(release.seen)}"]
    if release.module:
        head.append(f"module = {_value(release.module)}")
    if not release.programs:
        head += [*comment("programs"), "programs = false"]
    if release.packages:
        head += [*comment("packages"), f"packages = {_value(release.packages)}"]
    until = [f"until = {release.support.until.isoformat()}"] if release.support.until else []
    parts = [head, ["[support]", *until, f"source = {_value(release.support.source)}"]]
    for other, needs in release.runs_on.items():
        lines = [f"versions = {_value(needs.versions)}", f"source = {_value(needs.source)}"]
        lines += [f"beyond = {_value(needs.beyond)}"] if needs.beyond else []
        parts.append([f"[runs_on.{other}]", *lines])
    if release.brings:
        parts.append([*comment("brings"), "[brings]", *_table(release.brings)])
    if release.images:
        parts.append(["[images]", *_table(release.images)])
    for name, data in release.data.items():
        parts.append([f"[data.{name}]", *_table({"name": data.name, "version": data.version})])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _table(values: Mapping[str, str]) -> Iterable[str]:
    return (f"{key} = {_value(value)}" for key, value in values.items())


def _value(value: str | Iterable[str]) -> str:
    # What JSON writes of text, and of a list of texts, is TOML as well.
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False)
