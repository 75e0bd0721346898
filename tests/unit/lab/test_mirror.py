"""The mirror: its packages are upstream's in name and place, and its server serves what is there."""

from __future__ import annotations

import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

import toolchain
from lab import paths
from lab.images import definitions
from lab.mirror import apt, packages, server, service, signing
from lab.spec import LabSpec, load
from releases import release


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A toolchain whose programs are small files."""
    for name in {name for package in packages.PACKAGES for name in package.held}:
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name}\n")
    monkeypatch.setattr(toolchain, "program", lambda name, version: tmp_path / name)


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror without images, whose packages of each suite are one file, and whose key is another."""

    def ensure(spec: LabSpec) -> Path:
        made = tmp_path / "cache" / f"apt-{spec.suite}"
        for name in (f"dists/{spec.suite}/InRelease", f"pool/{spec.suite}/tool_1_all.deb"):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(spec.suite)
        return made

    monkeypatch.setattr(apt, "ensure", ensure)
    monkeypatch.setattr(definitions, "names", lambda releases: ())
    monkeypatch.setattr(signing, "sign", lambda source, detached: detached.write_text("signed"))
    monkeypatch.setattr(signing, "export", lambda there: (there / "archive-keyring.asc").write_text("key"))


@pytest.mark.usefixtures("repositories")
def test_all_suites_of_a_lab_lie_in_one_repository(tmp_path: Path) -> None:
    spec = replace(load(), suites={"eu-worker-1": "trixie"})
    tree = service.build(spec, tmp_path / "mirror") / "apt"
    for suite in ("bookworm", "trixie"):
        assert (tree / f"dists/{suite}/InRelease").read_text() == suite
        assert (tree / f"pool/{suite}/tool_1_all.deb").read_text() == suite
    assert (tree / "archive-keyring.asc").read_text() == "key"
    again = service.build(load(), tmp_path / "mirror") / "apt"
    assert [path.name for path in (again / "dists").iterdir()] == ["bookworm"]


def _deb(*argv: str) -> str:
    return subprocess.run(["dpkg-deb", *argv], capture_output=True, text=True, check=True).stdout


@pytest.mark.usefixtures("programs")
def test_packages_have_upstreams_names_versions_and_places(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    packages.build(out, "amd64", release("kubernetes", "1.34.3"))
    assert sorted(path.name for path in out.iterdir()) == [
        "kubeadm_1.34.3-1.1_amd64.deb", "kubectl_1.34.3-1.1_amd64.deb", "kubelet_1.34.3-1.1_amd64.deb",
    ]  # fmt: skip
    kubelet = out / "kubelet_1.34.3-1.1_amd64.deb"
    assert _deb("--field", str(kubelet), "Version").strip() == "1.34.3-1.1"
    assert "iptables" in _deb("--field", str(kubelet), "Depends")
    listing = _deb("--contents", str(kubelet))
    assert "./usr/bin/kubelet\n" in listing
    assert "./usr/lib/systemd/system/kubelet.service\n" in listing
    assert "-rwxr-xr-x root/root" in listing
    kubeadm = _deb("--contents", str(out / "kubeadm_1.34.3-1.1_amd64.deb"))
    assert "./usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf\n" in kubeadm


@pytest.mark.usefixtures("programs")
def test_containerd_of_the_catalogue_takes_the_place_of_debian_s_and_has_debian_s_runc(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    found = release("containerd", "2.4.2")
    packages.build(out, "amd64", found)
    (file,) = out.iterdir()
    assert file.name == f"containerd.io_{found.packages}_amd64.deb"
    fields = {
        name: _deb("--field", str(file), name).strip() for name in ("Conflicts", "Replaces", "Provides")
    }
    assert set(fields.values()) == {"containerd"}
    assert "runc" in _deb("--field", str(file), "Depends")
    listing = _deb("--contents", str(file))
    for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
        assert f"./usr/bin/{name}\n" in listing
    assert "./lib/systemd/system/containerd.service\n" in listing
    assert "etc/containerd" not in listing, "its configuration is the role's"


@pytest.mark.usefixtures("programs")
def test_another_program_gives_another_key(tmp_path: Path) -> None:
    before = packages.inputs({"kubernetes": ["1.34.3"]})
    (tmp_path / "kubelet").write_text("something longer than before, or at least something else\n")
    assert packages.inputs({"kubernetes": ["1.34.3"]}) != before
    both = packages.inputs({"kubernetes": ["1.34.3"], "containerd": ["2.4.2"]})
    assert both != packages.inputs({"kubernetes": ["1.34.3"]})


@pytest.fixture
def served(tmp_path: Path) -> str:
    """A server of the library's own kind on a free port of this computer, and its URL."""
    (tmp_path / "tree/images").mkdir(parents=True)
    (tmp_path / "tree/images/a.tar").write_bytes(b"x" * 3_000_000)
    (tmp_path / "secret").write_text("not for others")
    running = server.make(tmp_path / "tree", "127.0.0.1", 0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{running.server_address[1]}"


def _get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        body = answer.read()
        assert len(body) == int(answer.headers["Content-Length"])
        return bytes(body)


def test_files_are_served_whole(served: str) -> None:
    assert _get(f"{served}/images/a.tar") == b"x" * 3_000_000


def test_a_directory_can_be_looked_at(served: str) -> None:
    assert b"a.tar" in _get(f"{served}/images/")


@pytest.mark.parametrize("path", ["/nothing", "/../secret", "/images/../../secret", "/%2e%2e/secret"])
def test_what_is_not_in_the_tree_is_not_found(served: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(f"{served}{path}")


def test_signatures_verify_with_the_exported_key_and_not_after_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # gpg's socket needs a short path.
    home = Path("/tmp") / f"lab-signing-{id(monkeypatch)}"
    monkeypatch.setattr(signing, "cache_dir", lambda: home)
    try:
        home.mkdir()
        text = home / "sums"
        text.write_text("abc  file\n")
        signing.sign(text, home / "sums.asc", home / "sums.inline")
        signing.export(home)
        verify = ["gpgv", "--keyring", str(home / "archive-keyring.gpg"), str(home / "sums.asc"), str(text)]
        assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
        assert "BEGIN PGP SIGNED MESSAGE" in (home / "sums.inline").read_text()
        assert "BEGIN PGP PUBLIC KEY BLOCK" in (home / "archive-keyring.asc").read_text()
        assert signing.fingerprint() == signing.fingerprint()
        text.write_text("abd  file\n")
        assert subprocess.run(verify, capture_output=True, check=False).returncode != 0
    finally:
        shutil.rmtree(home)


def test_the_cache_is_the_users() -> None:
    assert paths.cache_dir().parts[-2:] == ("crossmesh", "lab")
