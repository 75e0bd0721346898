"""Where Debian packages come from: the very sources and keys that this computer's own apt uses."""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import LabError

_ETC = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<parts>.+)")
_FIX = "give this computer's apt a source of Debian {suite} main, in /etc/apt/sources.list.d"


def sources(suite: str, etc: Path = _ETC) -> str:
    """This computer's apt sources of Debian ``suite``, in deb822 form. Raises LabError when there is none."""
    stanzas: list[str] = []
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        for stanza in re.split(r"\n\s*\n", text):
            if _serves(_field(stanza, "Suites").split(), _field(stanza, "Components").split(), suite):
                stanzas.append(stanza.strip())
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        if path.exists():
            stanzas += filter(None, (_one_line(line, suite) for line in path.read_text().splitlines()))
    if not stanzas:
        raise LabError(f"no apt source of this computer serves Debian {suite}", _FIX.format(suite=suite))
    return "\n\n".join(dict.fromkeys(stanzas)) + "\n"


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
    lines = ["Types: deb", f"URIs: {found['uri']}", f"Suites: {found['suite']}", "Components: main"]
    if "signed-by" in options:
        lines.append(f"Signed-By: {options['signed-by']}")
    return "\n".join(lines)
