"""Where Debian packages come from: the very sources and keys that this computer's own apt uses.

Another suite than this computer's own is taken from the same places: Debian serves all of them side by side.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import LabError

_ETC = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<parts>.+)")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FIX = "give this computer's apt a source of Debian {suite} main, in /etc/apt/sources.list.d"


def sources(suite: str, etc: Path = _ETC, release: Path = Path("/etc/os-release")) -> str:
    """This computer's apt sources of Debian ``suite``, in deb822 form. Raises LabError when there is none.

    Without any, those of its own suite, ``release``'s, with the name of the other: they are checked with
    Debian's own keys alone.
    """
    found = _serving(suite, etc)
    if not found and (own := _own_suite(release)):
        found = [_of_suite(suite, own, stanza) for stanza in _serving(own, etc) if _debians(stanza)]
    if not found:
        raise LabError(f"no apt source of this computer serves Debian {suite}", _FIX.format(suite=suite))
    return "\n\n".join(dict.fromkeys(found)) + "\n"


def _serving(suite: str, etc: Path) -> list[str]:
    stanzas: list[str] = []
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        for stanza in re.split(r"\n\s*\n", text):
            if _serves(_field(stanza, "Suites").split(), _field(stanza, "Components").split(), suite):
                stanzas.append(stanza.strip())
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        if path.exists():
            stanzas += filter(None, (_one_line(line, suite) for line in path.read_text().splitlines()))
    return stanzas


def _own_suite(release: Path) -> str:
    """Debian's suite on this computer; empty on another distribution."""
    lines = release.read_text().splitlines() if release.exists() else []
    about = dict(line.split("=", 1) for line in lines if "=" in line)
    return about.get("VERSION_CODENAME", "").strip('"') if about.get("ID") == "debian" else ""


def _debians(stanza: str) -> bool:
    """Whether nobody else's keys stand in a stanza: others than Debian have no other suite beside theirs."""
    key = _field(stanza, "Signed-By").strip()
    return not key or key.startswith(_KEYRING.removesuffix(".gpg"))


def _of_suite(suite: str, own: str, stanza: str) -> str:
    """A stanza of the suite ``own``, for another one, with Debian's keys."""
    named = [name for name in _field(stanza, "Suites").split() if name.split("-")[0] == own]
    suites = " ".join(suite + name.removeprefix(own) for name in named)
    return _stanza(_field(stanza, "URIs").strip(), suites, _field(stanza, "Signed-By").strip() or _KEYRING)


def _stanza(uris: str, suites: str, key: str | None) -> str:
    lines = ["Types: deb", f"URIs: {uris}", f"Suites: {suites}", "Components: main"]
    return "\n".join([*lines, *([f"Signed-By: {key}"] if key else [])])


def _field(stanza: str, name: str) -> str:
    found = re.search(rf"(?mi)^{name}:[ \t]*(.*(?:\n[ \t]+.*)*)", stanza)
    return found.group(1) if found else ""


def _serves(suites: list[str], components: list[str], suite: str) -> bool:
    return "main" in components and any(name.split("-")[0] == suite for name in suites)


def _one_line(line: str, suite: str) -> str | None:
    """A line of the older format as a stanza, or None when it does not serve ``suite``."""
    found = _ONE_LINE.match(line)
    if not found or not _serves([found["suite"]], found["parts"].split(), suite):
        return None
    options = dict(option.split("=", 1) for option in (found["options"] or "").split() if "=" in option)
    return _stanza(found["uri"], found["suite"], options.get("signed-by"))
