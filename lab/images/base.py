"""The base layer of the images that need more than one static program: a small Debian.

Made by ``mmdebstrap --variant=extract``: packages are unpacked and no maintainer script runs. What their
scripts would have made and the images need (alternatives of iptables, the bundle of CA certificates,
accounts) is added here. Documentation but the licences, translations and package lists are left out.
"""

from __future__ import annotations

import platform
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lab import cache
from lab.commands import remove_tree, run
from lab.errors import LabError
from lab.images.layer import Entry, directory, symlink, text, write_layer
from lab.paths import cache_dir
from lab.progress import step

SUITE = "bookworm"
PACKAGES = (
    "busybox",
    "ca-certificates",
    "conntrack",
    "curl",
    "iproute2",
    "iptables",
    "kmod",
    "libc6",
    "nftables",
)
# Raise it when this module makes other bytes of the same packages.
_RECIPE = 1

# The links that the package iptables makes by update-alternatives. The nft variant is Debian's default and
# what the machines use: on one host, all who write rules must agree on the variant.
_XTABLES = tuple(
    f"{family}{action}" for family in ("iptables", "ip6tables") for action in ("", "-save", "-restore")
)

# Commands that busybox serves where no package brings its own.
_APPLETS = (
    "awk", "base64", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "dirname", "du",
    "echo", "env", "expr", "false", "find", "free", "grep", "gunzip", "gzip", "head", "hostname", "httpd",
    "id", "kill", "killall", "ln", "ls", "md5sum", "mkdir", "mktemp", "mount", "mv", "nc", "netstat",
    "nslookup", "od", "pgrep", "ping", "ping6", "printf", "ps", "pwd", "readlink", "realpath", "rm",
    "rmdir", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat", "tail", "tar", "tee", "telnet",
    "test", "time", "timeout", "top", "touch", "tr", "traceroute", "true", "uname", "uniq", "unzip",
    "uptime", "vi", "watch", "wc", "wget", "which", "whoami", "xargs", "yes", "zcat",
)  # fmt: skip

_ACCOUNTS = {"root": 0, "istio-proxy": 1337, "nobody": 65534, "nonroot": 65532}

_DROPPED = (
    "boot/", "dev/", "etc/apt/", "etc/init.d/", "etc/logcheck/", "lib/systemd/", "lib/udev/", "proc/", "sys/",
    "usr/bin/c_rehash", "usr/bin/openssl", "usr/include/", "usr/lib/ssl/misc/", "usr/share/", "var/",
)  # fmt: skip
_KEPT = ("usr/share/iptables/",)
_CERTIFICATES = "usr/share/ca-certificates/"

# The names that Go and Debian use for a processor, from the kernel's.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's processor in Debian's and Go's name. Raises LabError for one that is not known."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise LabError(f"images are built for {' and '.join(_ARCHITECTURES)}; this machine is {machine}")
    return _ARCHITECTURES[machine]


@dataclass(frozen=True, slots=True)
class BaseLayer:
    """The base layer of one machine architecture (in Debian's names); built when it is first written."""

    architecture: str

    def inputs(self) -> Any:
        """The mark of the stored layer, which is made first where it is missing. Raises LabError."""
        return cache.mark(self.stored())

    def write(self, out: BinaryIO) -> None:
        """Write the layer; makes it first where the cache has none. Raises LabError."""
        with self.stored().open("rb") as stream:
            shutil.copyfileobj(stream, out, 1 << 20)

    def stored(self) -> Path:
        """The cached tar of the layer; made when it is missing. Raises LabError."""
        return cache.entry("base", self._key(), self._build) / "layer.tar"

    def refresh(self) -> None:
        """Forget the stored layer, so that the next use unpacks the newest versions of the packages."""
        remove_tree(cache_dir() / f"base-{self._key()}")

    def _key(self) -> str:
        recipe = {"recipe": _RECIPE, "suite": SUITE, "packages": PACKAGES, "architecture": self.architecture,
                  "applets": _APPLETS, "accounts": _ACCOUNTS, "dropped": _DROPPED, "kept": _KEPT}  # fmt: skip
        return cache.key_of(recipe)

    def _build(self, scratch: Path) -> None:
        scratch.mkdir()
        tree = scratch / "tree.tar"
        with step(f"base layer: unpacking {len(PACKAGES)} Debian packages and what they need"):
            run(
                ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(PACKAGES)}",
                 f"--architectures={self.architecture}", SUITE, str(tree)],
                env={"SOURCE_DATE_EPOCH": "0"},
                fix="see that mmdebstrap is installed, and that `apt-get update` reaches its sources",
            )  # fmt: skip
            with tarfile.open(tree) as archive, (scratch / "layer.tar").open("wb") as out:
                write_layer(base_entries(archive), out)
            tree.unlink()


def base_entries(archive: tarfile.TarFile) -> list[Entry]:
    """The base layer's entries from the unpacked packages. Raises LabError when they lack what is needed."""
    entries: dict[str, Entry] = {}
    certificates: list[bytes] = []
    for member in sorted(archive.getmembers(), key=lambda member: member.name):
        path = member.name.removeprefix("./").rstrip("/")
        if path in ("", "."):
            continue
        if path.startswith(_CERTIFICATES) and path.endswith(".crt"):
            certificates.append(_content(archive, member).strip() + b"\n")
        elif _wanted(path):
            entry = _entry(archive, member, path)
            if entry:
                entries[path] = entry
    if not certificates:
        raise LabError("base layer: the unpacked packages hold no CA certificate")
    for entry in _added(set(entries), b"".join(certificates)):
        entries[entry.path] = entry
    for needed in ("usr/sbin/xtables-nft-multi", "bin/busybox", "usr/bin/curl"):
        if needed not in entries and f"usr/{needed}" not in entries:
            raise LabError(f"base layer: the unpacked packages hold no {needed}")
    return list(entries.values())


def _wanted(path: str) -> bool:
    if path.startswith("usr/share/doc/"):
        return path.endswith("/copyright")
    if path.startswith(_KEPT):
        return True
    return not (f"{path}/".startswith(_DROPPED) or "/gconv/" in f"{path}/")


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> Entry | None:
    if member.isdir():
        return Entry(path, "directory", member.mode, member.uid, member.gid)
    if member.issym():
        return Entry(path, "symlink", 0o777, member.uid, member.gid, target=member.linkname)
    if member.isfile() or member.islnk():
        return Entry(path, "file", member.mode, member.uid, member.gid, content=_content(archive, member))
    return None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    if stream is None:
        # A certificate's path that is a link out of the tree, or the like: nothing to be read.
        return b""
    return stream.read()


def _added(present: set[str], certificates: bytes) -> list[Entry]:
    added = [symlink(f"usr/sbin/{name}", "xtables-nft-multi") for name in _XTABLES]
    # Merged or not (/bin being /usr/bin) is for the distribution to say: the links lie where busybox lies.
    binaries = "usr/bin" if "usr/bin/busybox" in present else "bin"
    commands = {path.rsplit("/", 1)[1] for path in present if "bin/" in path}
    added += [symlink(f"{binaries}/{name}", "busybox") for name in _APPLETS if name not in commands]
    added.append(Entry("etc/ssl/certs/ca-certificates.crt", "file", 0o644, content=certificates))
    added += account_entries(_ACCOUNTS)
    added += [directory("run"), directory("var/run"), directory("root", mode=0o700)]
    added += [directory("proc"), directory("sys"), directory("dev"), directory("var/tmp", mode=0o1777)]
    return added


def account_entries(accounts: dict[str, int]) -> list[Entry]:
    """The files that name ``accounts`` (name to uid = gid) and name services, and ``/tmp``."""
    passwd = "".join(
        f"{name}:x:{uid}:{uid}:{name}:{'/root' if uid == 0 else '/'}:/sbin/nologin\n"
        for name, uid in accounts.items()
    )
    group = "".join(f"{name}:x:{uid}:\n" for name, uid in accounts.items())
    return [
        text("etc/passwd", passwd),
        text("etc/group", group),
        text("etc/nsswitch.conf", "hosts: files dns\n"),
        directory("tmp", mode=0o1777),
    ]
