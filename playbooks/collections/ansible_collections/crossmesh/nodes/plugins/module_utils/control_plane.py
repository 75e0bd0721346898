"""The programs of a control plane: what kubeadm would start them by, and how they are brought to it.

What they are started by before a change lies on the host until the change is proven: a run that is killed in
between is taken up, and what does not answer is taken back.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import numbers, wait_until_well, write

MANIFESTS = Path("/etc/kubernetes/manifests")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""In the order in which they are changed: each needs those before it."""
PKI = Path("/etc/kubernetes/pki")
PROC = Path("/proc")
LOGS = Path("/var/log/pods")
SECONDS = 300.0
"""For one program to answer: kubeadm's own time for it in upgrades (`UpgradeManifestTimeout`)."""
_SETTLE, _POLL, _ANSWER = 2.0, 0.5, 5.0
_STARTS = 3
"""So often kubelet may have started a program again until it is given up: its waits grow to minutes."""
_PHASES = (("etcd", "local"), ("control-plane", "all"))
_ARGUMENT = re.compile(r"^\s*-\s+(['\"]?)(--[\w-]+(?:=.*?)?)\1\s*$", re.MULTILINE)
# What a member of etcd joined is its own; a member that has data does not read it again.
_OF_MEMBER = re.compile(r"^\s*-\s+--initial-cluster(?:-state)?=.*\n", re.MULTILINE)
_IMAGE = re.compile(r"^\s*image:\s*(['\"]?[^\s'\"]*:([^\s:'\"]+)['\"]?)\s*$", re.MULTILINE)
_PLACES = {
    "etcd": (None, "/health"),
    "kube-apiserver": ("6443", "/readyz"),
    "kube-controller-manager": ("10257", "/healthz"),
    "kube-scheduler": ("10259", "/livez"),
}
"""Port by default, and path, as kubeadm has kubelet ask them (`staticpod/utils.go`)."""

Carry = Callable[["tuple[str, ...]", "Mapping[str, str]"], None]
"""Runs kubeadm, with further variables of its environment."""


class EndedError(Exception):
    """A program ends again and again; its last words."""


class ControlPlaneError(Exception):
    """The control plane was not brought to what is wanted; says what it is now, and why."""


def generated(carry_out: Carry) -> dict[str, str]:
    """What kubeadm would start each program by. Nothing of the host is changed."""
    with tempfile.TemporaryDirectory() as directory:
        for phase in _PHASES:
            command = ("kubeadm", "init", "phase", *phase, "--config=/dev/stdin", "--dry-run")
            carry_out(command, {"KUBEADM_INIT_DRYRUN_DIR": directory})
        return {name: Path(directory, f"{name}.yaml").read_text() for name in PROGRAMS}


def arguments(manifest: str) -> list[str]:
    """The arguments of a program, in their order."""
    return [match.group(2) for match in _ARGUMENT.finditer(manifest)]


def present(name: str, directory: Path | None = None) -> str:
    """What a program is started by; empty where it is not."""
    try:
        return ((directory or MANIFESTS) / f"{name}.yaml").read_text()
    except FileNotFoundError:
        return ""


def differing(wanted: Mapping[str, str], kept: Path) -> dict[str, str]:
    """What is to be written or proven, by program. kept: where what was proven last lies, while what is there
    is not."""
    due = {}
    for name in PROGRAMS:
        before = present(name, kept)
        after = wanted[name]
        if name == "etcd":
            after = _not_earlier(_as_member(after, before or present(name)), before or present(name))
        if before or after != present(name):
            due[name] = after
    return due


def _as_member(manifest: str, before: str) -> str:
    """etcd's manifest with what the member that is there has joined."""
    own, joined = "".join(_OF_MEMBER.findall(manifest)), "".join(_OF_MEMBER.findall(before))
    return manifest.replace(own, joined, 1) if own and joined else manifest


def _not_earlier(manifest: str, before: str) -> str:
    """etcd's manifest with the image that is there where that is a later one: an earlier etcd does not start
    over its data, and kubeadm exchanges none for one either."""
    own, there = _IMAGE.search(manifest), _IMAGE.search(before)
    if not (own and there) or numbers(there[2]) <= numbers(own[2]):
        return manifest
    return manifest.replace(own[1], there[1], 1)


def told(due: Mapping[str, str], kept: Path) -> list[str]:
    """What a change is, in words."""
    words = []
    for name, after in due.items():
        before = present(name, kept) or present(name)
        old, new = arguments(before), arguments(after)
        parts = [f"without {each}" for each in old if each not in new]
        parts += [f"with {each}" for each in new if each not in old]
        if parts or after != before:
            words.append(f"{name} {', '.join(parts)}" if parts else f"{name}'s pod")
    return words


def exchange(due: Mapping[str, str], kept: Path) -> None:
    """Have the programs started by what is due, one by one, each proven before the next. Where one does not
    answer, all are taken back. Raises ControlPlaneError."""
    for name in due:
        if not (kept / f"{name}.yaml").exists():
            write(kept / f"{name}.yaml", present(name), 0o600)
    tried = []
    for name, manifest in due.items():
        tried.append(name)
        why = _start(name, manifest)
        if why:
            back = _back(tried, kept)
            raise ControlPlaneError(f"{name} does not answer with its new arguments: {why}. {back}")


def prove(kept: Path) -> None:
    """Take what runs as proven."""
    shutil.rmtree(kept, ignore_errors=True)


def _back(names: Iterable[str], kept: Path) -> str:
    """Take programs back to what they were started by; say what came of it."""
    failed = []
    for name in names:
        before = present(name, kept)
        if not before:
            continue
        why = _start(name, before)
        if why:
            failed.append(f"{name}: {why}")
    if failed:
        return f"It was taken back to what it was, which does not answer either: {'; '.join(failed)}"
    prove(kept)
    return "All are as they were before, and answer"


def _start(name: str, manifest: str) -> str:
    """Have a program started by a manifest; return why it does not answer then."""
    logs = set(_log_directories(name))
    if present(name) != manifest:
        write(MANIFESTS / f"{name}.yaml", manifest, 0o600)

    def complaints() -> list[str]:
        said = _ended(name, logs)
        if said:
            raise EndedError(said)
        why = _complaint(name, arguments(manifest))
        return [why] if why else []

    try:
        return "; ".join(wait_until_well(complaints, timeout=SECONDS, settle=_SETTLE, poll=_POLL))
    except EndedError as error:
        return f"it ends again and again, with the words: {error}"


def _complaint(name: str, wanted: list[str]) -> str:
    """Why a program is not well; empty where it runs with these arguments and answers."""
    if not any(words[1:] == wanted for words in _processes(name)):
        return "kubelet has not started it"
    url = _url(name, wanted)
    if not url:
        return ""
    context = ssl.create_default_context()
    # The address is this host's own, and who answers there is known by its arguments.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = PKI / "apiserver-kubelet-client.crt"
    if name == "kube-apiserver" and client.exists():
        context.load_cert_chain(client, client.with_suffix(".key"))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=_ANSWER):
            return ""
    except (OSError, ValueError, urllib.error.URLError) as error:
        return f"{url}: {error}"


def _url(name: str, words: list[str]) -> str:
    """Where a program says how it is."""
    flags = dict(word[2:].partition("=")[::2] for word in words)
    port, path = _PLACES[name]
    if port is None:
        first = flags.get("listen-metrics-urls", "").split(",")[0]
        return f"{first}{path}" if first else ""
    address = flags.get("bind-address", "")
    address = "127.0.0.1" if address in ("", "0.0.0.0", "::") else address
    return f"https://{address}:{flags.get('secure-port', port)}{path}"


def _processes(name: str) -> Iterator[list[str]]:
    """Command lines of the processes of a program."""
    for path in PROC.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")[:-1]
            if words and Path(words[0]).name == name:
                yield words


def _log_directories(name: str) -> list[Path]:
    return sorted(LOGS.glob(f"kube-system_{name}-*/{name}"))


def _ended(name: str, before: set[Path]) -> str:
    """Last words of a program that kubelet has started several times by its new manifest; empty otherwise."""
    for directory in _log_directories(name):
        numbers = [int(file.stem) for file in directory.glob("*.log") if file.stem.isdigit()]
        if directory in before or not numbers or max(numbers) < _STARTS:
            continue
        newest = directory / f"{max(numbers) - 1}.log"
        with contextlib.suppress(OSError):
            lines = newest.read_text(errors="replace").strip().splitlines()
            # Each line has time, stream and a mark before what was said.
            said = [line.split(" ", 3)[-1] for line in lines[-3:]]
            return " / ".join(said)[-600:] or "none"
    return ""
