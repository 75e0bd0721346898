"""No package goes that nobody has named: read from apt itself, over small repositories of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import facts

from tests.unit.playbooks.conftest import ModuleFailed

SAID = """\
The following packages will be REMOVED:
  containerd.io docker-ce
Remv docker-ce [5:27.3.1-1~debian.12~bookworm]
Remv containerd.io [1.7.22-1]
Inst libc6 [2.36-9] (2.36-9+deb12u8 Debian:12.8/stable [amd64]) []
Inst runc (1.1.5+ds1-1+deb12u1 Debian:12.8/stable, Debian-Security:12/stable-security [amd64])
Purg old-tool [1.0]
Conf runc (1.1.5+ds1-1+deb12u1 Debian:12.8/stable [amd64])
"""


def test_apt_s_simulation_is_read_step_by_step() -> None:
    planned = facts.changes(SAID, ["docker-ce", "runc", "libc6", "untouched"])
    assert planned["installs"] == {
        "libc6": ["2.36-9", "2.36-9+deb12u8"],
        "runc": ["", "1.1.5+ds1-1+deb12u1"],
    }
    assert planned["removes"] == ["containerd.io", "docker-ce", "old-tool"]
    assert planned["held"] == ["docker-ce", "libc6"], "what is new was not there to be held"


def test_a_simulation_that_changes_nothing_is_empty() -> None:
    nothing = {"installs": {}, "removes": [], "held": []}
    assert facts.changes("0 upgraded, 0 newly installed, 0 to remove and 1 not upgraded.\n", ["a"]) == nothing


def test_what_is_named_may_go_and_nothing_else() -> None:
    planned = facts.changes(SAID, ["libc6"])
    assert facts.unnamed(planned, []) == (["containerd.io", "docker-ce", "old-tool"], ["libc6"])
    assert facts.unnamed(planned, ["docker-ce", "containerd.io", "old-tool", "libc6"]) == ([], [])


def test_what_is_there_in_the_version_that_is_asked_for_is_left_alone() -> None:
    installed = {"bird2": "2.0.12-7", "kubelet": "1.34.3-1.1", "kubeadm": "1.34.2-1.1"}
    names = ["bird2", "containerd", "kubeadm=1.34.3-*", "kubelet=1.34.3-*"]
    assert facts.wanted(names, installed) == ["containerd", "kubeadm=1.34.3-*"]


class Site:
    """A host's packages and one repository, in a directory: apt is run over them by its own programs."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        for part in ("lists", "cache", "repository", "parts", "etc", "bin"):
            (directory / part).mkdir()
        for part in ("status", "extended"):
            (directory / part).touch()
        repository = f"deb [trusted=yes] file:{directory}/repository ./\n"
        (directory / "etc/sources.list").write_text(repository)
        (directory / "apt.conf").write_text(
            f'Dir::State "{directory}"; Dir::State::lists "{directory}/lists"; Dir::State::status '
            f'"{directory}/status"; Dir::State::extended_states "{directory}/extended"; Dir::Cache '
            f'"{directory}/cache"; Dir::Etc "{directory}/etc"; Dir::Etc::Parts "{directory}/parts"; '
            'APT::Architecture "amd64"; APT::Architectures {"amd64";}; APT::Sandbox::User "";'
        )
        monkeypatch.setenv("APT_CONFIG", str(directory / "apt.conf"))
        # dpkg-query has no setting for it.
        query = directory / "bin" / "dpkg-query"
        query.write_text(f'#!/bin/sh\nexec /usr/bin/dpkg-query --admindir="{directory}" "$@"\n')
        query.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}/bin:/usr/bin:/bin")
        # What runs on this computer, a lab's machines among it, is not what runs on that host.
        monkeypatch.setattr(facts, "containers", dict)

    def installed(self, name: str, version: str, *fields: str, held: bool = False) -> None:
        status = "hold ok installed" if held else "install ok installed"
        self._add("status", name, version, f"Status: {status}", *fields)

    def halved(self, name: str, version: str) -> None:
        """As dpkg leaves it that was killed while it unpacked."""
        self._add("status", name, version, "Status: install reinstreq half-installed")

    def offered(self, name: str, version: str, *fields: str) -> None:
        self._add(
            "repository/Packages", name, version, f"Filename: ./{name}.deb", "Size: 1", "SHA256: 00", *fields
        )

    def read(self) -> None:
        assert facts.run("apt-get", "-q", "update", environment=facts.environment()).returncode == 0

    def _add(self, file: str, name: str, version: str, *fields: str) -> None:
        lines = (f"Package: {name}", f"Version: {version}", "Architecture: amd64", "Maintainer: me", *fields)
        with (self.directory / file).open("a") as stream:
            stream.write("\n".join([*lines, "Description: x"]) + "\n\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(tmp_path, monkeypatch)
    made.offered("runc", "1.1.5-1")
    made.offered("containerd", "1.6.20-1", "Depends: runc")
    made.offered("bird2", "2.0.13-1")
    made.offered("kubelet", "1.34.3-1.1")
    made.installed("bird2", "2.0.12-7")
    return made


def docker(site: Site) -> None:
    takes = ("Provides: containerd, runc", "Conflicts: containerd, runc", "Replaces: containerd, runc")
    site.installed("containerd.io", "1.7.22-1", *takes)
    site.installed("docker-ce", "5:27.3.1-1", "Depends: containerd.io")
    site.read()


def test_docker_on_the_host_is_found_before_it_would_be_removed(site: Site) -> None:
    docker(site)
    planned = facts.simulated(["containerd", "bird2"])
    assert planned["error"] == ""
    assert planned["removes"] == ["containerd.io", "docker-ce"]
    assert sorted(planned["installs"]) == ["containerd", "runc"], "bird2 is there, and stays as it is"
    assert planned["there"] == {"bird2": "2.0.12-7"}


def test_a_hold_is_seen(site: Site) -> None:
    site.installed("kubelet", "1.34.2-1.1", held=True)
    site.read()
    assert facts.simulated(["kubelet=1.34.3-*"])["held"] == ["kubelet"]


def test_a_package_that_no_source_has_is_named(site: Site) -> None:
    site.read()
    assert "Unable to locate package kubeadm" in facts.simulated(["kubeadm=1.34.3-*"])["error"]


RunModule = Callable[..., dict[str, Any]]


def test_the_role_s_module_refuses_and_names_what_would_go(site: Site, run_module: RunModule) -> None:
    docker(site)
    with pytest.raises(ModuleFailed) as refusal:
        run_module("packages", names=["containerd"])
    assert "nothing is installed: it would remove containerd.io, docker-ce" in str(refusal.value)
    assert "docker-ce" in (site.directory / "status").read_text()


def test_the_role_s_module_lets_no_held_package_go(site: Site, run_module: RunModule) -> None:
    site.installed("kubelet", "1.34.2-1.1", held=True)
    site.read()
    with pytest.raises(ModuleFailed, match="it would change kubelet, held on this host"):
        run_module("packages", names=["kubelet=1.34.3-*"])


def test_a_runtime_of_its_makers_takes_the_distribution_s_place_while_no_pod_runs(
    site: Site, run_module: RunModule, ansible_module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = ("Provides: containerd, runc", "Conflicts: containerd, runc", "Replaces: containerd, runc")
    site.offered("containerd.io", "2.4.2-1~debian.12~bookworm", *takes)
    site.installed("runc", "1.1.5-1")
    site.installed("containerd", "1.6.20-1", "Depends: runc")
    site.read()
    asked = {"names": ["containerd.io=2.4.2-*"], "replaceable": ["containerd", "runc"]}
    monkeypatch.setattr(facts, "containers", lambda: {"moby": 1, "k8s.io": 4})
    with pytest.raises(ModuleFailed, match="it would remove containerd, runc under pods that run"):
        run_module("packages", **asked)
    monkeypatch.setattr(facts, "containers", lambda: {"moby": 1})
    module = ansible_module("packages")
    monkeypatch.setattr(module, "run", lambda *command, **more: facts.run("true"))
    result = run_module(module, **asked)
    assert (result["installed"], result["removed"]) == (["containerd.io"], ["containerd", "runc"])


def test_half_of_the_names_is_not_enough(site: Site, run_module: RunModule) -> None:
    docker(site)
    with pytest.raises(ModuleFailed, match=r"it would remove docker-ce\."):
        run_module("packages", names=["containerd"], replaceable=["containerd.io"])


def test_where_everything_is_there_nothing_changes(site: Site, run_module: RunModule) -> None:
    site.read()
    result = run_module("packages", names=["bird2"])
    assert result == {"changed": False, "installed": [], "removed": []}


def test_a_package_that_a_killed_run_left_half_unpacked_is_unpacked_again(
    site: Site, ansible_module: Callable[[str], Any], run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt said of kubeadm that it had the newest version, and the next phase that it was not there."""
    site.halved("kubelet", "1.34.3-1.1")
    site.read()
    planned = facts.simulated(["kubelet=1.34.3-*", "bird2"])
    assert (planned["installs"], planned["halved"]) == ({}, {"kubelet": "1.34.3-1.1"})
    module, called = ansible_module("packages"), []

    def run(*command: str, **more: Any) -> Any:
        called.append(command)
        return facts.run("true")

    monkeypatch.setattr(module, "run", run)
    result = run_module(module, names=["kubelet=1.34.3-*", "bird2"])
    assert (result["changed"], result["installed"]) == (True, ["kubelet"])
    assert [command[-2:] for command in called[1:]] == [("--reinstall", "kubelet=1.34.3-1.1")]


def test_looking_leaves_the_host_s_lists_alone_and_runs_no_hooks(site: Site) -> None:
    """On many hosts hooks of `apt-get update` write databases and stamps."""
    docker(site)
    with (site.directory / "apt.conf").open("a") as stream:
        stream.write(f'APT::Update::Post-Invoke-Success {{"touch {site.directory}/hooked";}};\n')
    before = sorted(path.name for path in (site.directory / "lists").rglob("*"))
    seen = facts.software({"packages": ["containerd"]})
    assert seen["mirror"]["errors"] == []
    assert seen["packages"]["removes"] == ["containerd.io", "docker-ce"]
    assert not (site.directory / "hooked").exists()
    assert sorted(path.name for path in (site.directory / "lists").rglob("*")) == before


def test_declared_sources_are_read_in_the_place_of_the_host_s_own(site: Site, tmp_path: Path) -> None:
    site.read()
    other = tmp_path / "other"
    other.mkdir()
    (other / "Packages").write_text(
        "Package: kubeadm\nVersion: 1.34.3-1.1\nArchitecture: amd64\nFilename: ./k.deb\nSize: 1\nSHA256: 00\n"
    )
    declared = f"Types: deb\nURIs: file:{other}\nSuites: ./\nTrusted: yes\n"
    asked = {"packages": ["kubeadm=1.34.3-*"], "sources_files": {"": declared}}
    assert sorted(facts.software(asked)["packages"]["installs"]) == ["kubeadm"]
    alone = facts.software({**asked, "packages": ["containerd"]})
    assert "Unable to locate package containerd" in alone["packages"]["error"]


def test_a_source_that_does_not_answer_is_told(site: Site) -> None:
    declared = f"Types: deb\nURIs: file:{site.directory}/nothing\nSuites: ./\nTrusted: yes\n"
    seen = facts.software({"packages": ["containerd"], "sources_files": {"": declared}})
    assert "nothing" in " ".join(seen["mirror"]["errors"])
    assert seen["packages"] is None


def test_what_is_named_goes_and_the_transaction_is_told_so(
    site: Site, ansible_module: Callable[[str], Any], run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(site)
    module, called = ansible_module("packages"), []

    def run(*command: str, **more: Any) -> Any:
        called.append(command)
        return facts.run("true")

    monkeypatch.setattr(module, "run", run)
    result = run_module(module, names=["containerd"], replaceable=["containerd.io", "docker-ce"])
    assert result["removed"] == ["containerd.io", "docker-ce"]
    assert "--no-remove" not in called[-1]
    assert "--allow-change-held-packages" not in called[-1]
    called.clear()
    run_module(module, names=["kubelet=1.34.3-*"])
    assert "--allow-downgrades" in called[-1], "a change that is taken back asks for the earlier version"
    assert "--no-remove" in called[-1], (
        "between the simulation and the deed, another may have changed the host"
    )


def test_a_declared_proxy_is_the_way_to_the_sources_before_the_host_has_it(
    site: Site, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    where = facts.apart(scratch, {"proxy_file": 'Acquire::http::Proxy "http://proxy.example.test:3128";'})
    said = facts.run("apt-config", "dump", environment=facts.environment(APT_CONFIG=where)).stdout
    assert 'Acquire::http::Proxy "http://proxy.example.test:3128";' in said
    assert f'Dir::State::lists "{scratch}/lists";' in said
    assert 'APT::Architecture "amd64";' in said, "the rest is the host's own"
