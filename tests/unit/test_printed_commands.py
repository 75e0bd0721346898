"""What is printed to be typed in works where it is typed: with the project's programs here, and on hosts with
those that are there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.cli import VERBS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "access",
    "components",
    "gate",
    "live",
    "operations",
    "playbooks",
    "policies",
    "report",
    "stacks",
    "upkeep",
)
PRINTED = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
HERE = {"crossmesh", "git", "istioctl", "kubectl", "make", "pulumi", "python"}
"""With the project, its toolchain, or needed to get either."""
ON_HOSTS = {
    "birdc",
    "crictl",
    "hostnamectl",
    "journalctl",
    "kubeadm",
    "nft",
    "sshd",
    "sysctl",
    "systemctl",
    "wg",
}
"""On every host of the kind that they are named for: of systemd, with the roles' packages, or with ssh."""
SIGNERS = {"gpg", "openssl"}
"""With whoever signs image bundles, and with whoever has certificates to give."""
ANYWHERE = {"chmod", "chown", "df", "du", "eval", "getent", "id", "ssh"}
OPTIONS = {"ansible-doc": "it heads a generated page", "gate": "a verb of `crossmesh`", "up": "likewise"}
"""What else stands in backticks and goes on, and why it is no program."""


def texts(path: Path) -> Iterator[str]:
    """The texts of a module, docstrings apart; what is put into one is `…`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            apart |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


def commands(path: Path) -> Iterator[list[str]]:
    for text in texts(path):
        for command in re.findall(r"`([a-z][a-z0-9-]* [^`]+)`", text):
            yield command.split()


def test_what_is_looked_for_is_found() -> None:
    found = [words for path in PRINTED for words in commands(path)]
    assert len(found) > 80
    assert {words[0] for words in found} > {"crossmesh", "pulumi", "kubectl", "journalctl"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_program_that_a_text_names_is_there(room: str) -> None:
    allowed = HERE | ON_HOSTS | SIGNERS | ANYWHERE | set(OPTIONS)
    found = [
        (path.relative_to(ROOT).as_posix(), " ".join(words))
        for path in PRINTED
        if path.relative_to(ROOT).parts[0] == room
        for words in commands(path)
        if words[0] not in allowed
    ]
    assert found == []


def test_every_verb_of_crossmesh_that_a_text_names_is_one() -> None:
    verbs = {*VERBS, "…"}
    named = {
        words[1] for path in PRINTED for words in commands(path) if words[0] == "crossmesh" and len(words) > 1
    }
    assert named
    assert named <= verbs
