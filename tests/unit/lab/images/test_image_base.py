from __future__ import annotations

import io
import tarfile

import pytest

from lab.errors import LabError
from lab.images.base import base_entries
from lab.images.layer import Entry

TREE = {
    "./bin/busybox": "busybox", "./bin/ip": "ip", "./usr/bin/curl": "curl", "./usr/bin/openssl": "openssl",
    "./usr/sbin/xtables-nft-multi": "x", "./usr/share/ca-certificates/mozilla/A.crt": "A\n",
    "./usr/share/ca-certificates/mozilla/B.crt": "B", "./usr/share/doc/curl/copyright": "licence",
    "./usr/share/doc/curl/changelog.gz": "old", "./usr/share/man/man1/curl.1.gz": "manual",
    "./usr/lib/x86_64-linux-gnu/gconv/X.so": "gconv", "./usr/lib/x86_64-linux-gnu/libz.so": "z",
    "./var/lib/dpkg/status": "status", "./etc/apt/apt.conf": "apt",
}  # fmt: skip


def tree(files: dict[str, str]) -> dict[str, Entry]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("./"))
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
        device = tarfile.TarInfo("./dev/null")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        return {entry.path: entry for entry in base_entries(archive)}


def test_what_an_image_does_not_need_is_left_out_and_the_licences_stay() -> None:
    entries = tree(TREE)
    assert {"bin/busybox", "usr/bin/curl", "usr/lib/x86_64-linux-gnu/libz.so"} <= set(entries)
    assert "usr/share/doc/curl/copyright" in entries
    gone = ("changelog", "/man/", "gconv", "dpkg", "etc/apt", "dev/null", "openssl", "mozilla")
    assert not [path for path in entries if any(word in path for word in gone)]


def test_the_links_that_the_packages_scripts_would_have_made_are_there() -> None:
    entries = tree(TREE)
    for name in (
        "iptables",
        "iptables-save",
        "iptables-restore",
        "ip6tables",
        "ip6tables-save",
        "ip6tables-restore",
    ):
        assert entries[f"usr/sbin/{name}"].target == "xtables-nft-multi"


def test_busybox_serves_the_commands_that_no_package_brings() -> None:
    entries = tree({**TREE, "./usr/bin/wget": "wget"})
    assert entries["bin/sh"].target == entries["bin/nslookup"].target == "busybox"
    assert "bin/wget" not in entries and entries["bin/ip"].kind == "file"


def test_with_a_merged_usr_the_links_lie_beside_busybox() -> None:
    moved = {name.replace("./bin/", "./usr/bin/"): content for name, content in TREE.items()}
    assert tree(moved)["usr/bin/sh"].target == "busybox"


def test_the_certificates_are_one_bundle() -> None:
    assert tree(TREE)["etc/ssl/certs/ca-certificates.crt"].content == b"A\nB\n"


@pytest.mark.parametrize(
    ("missing", "message"),
    [("./bin/busybox", "bin/busybox"), ("./usr/sbin/xtables-nft-multi", "xtables-nft-multi")],
)
def test_a_tree_without_what_the_images_rely_on_is_refused(missing: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        tree({name: content for name, content in TREE.items() if name != missing})


def test_a_tree_without_certificates_is_refused() -> None:
    with pytest.raises(LabError, match="no CA certificate"):
        tree({name: content for name, content in TREE.items() if "certificates" not in name})
