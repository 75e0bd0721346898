"""versions.toml and the versions that programs print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toolchain
from toolchain.ambient import parse_version
from toolchain.errors import ToolchainError
from toolchain.golang import required_version
from toolchain.manifest import ROOT, manifest, parse

MINIMAL = """
[versions]
tool = "1.2.3"
[module.m]
ldflags = ["-X main.version=v{tool}"]
[program.tool]
version = "tool"
module = "m"
package = "x/tool"
"""


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("Kubernetes v1.34.3", "1.34.3"),
        ("etcd Version: 3.6.5\nGit SHA: none\nGo Version: go1.26.8", "3.6.5"),
        ("CoreDNS-1.12.4\nlinux/amd64, go1.26.8, ", "1.12.4"),
        ("client version: 1.28.3", "1.28.3"),
        ("v3.18.6+gb76a950", "3.18.6"),
        ("Client Version: v1.34.3\nKustomize Version: v5.7.1", "1.34.3"),
        ("v3.250.0-alpha.1", "3.250.0-alpha.1"),
        ("envoy  version: 0abc/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"),
        ("10.20.30.40", None),
        ("no version", None),
    ],
)
def test_the_version_is_found_in_what_programs_print(output: str, version: str | None) -> None:
    assert parse_version(output) == version


def test_versions_are_filled_into_linker_flags() -> None:
    assert parse(MINIMAL, {}).modules["m"].ldflags == ("-X main.version=v1.2.3",)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('version = "tool"', 'version = "other"'), "other"),
        (('module = "m"\n', 'module = "n"\n'), "there is no module n"),
        (('module = "m"\n', ""), "no release, module or wheel"),
        (("[module.m]", "[module.m"), "versions.toml"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ToolchainError, match=complaint):
        parse(MINIMAL.replace(*change), {})


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ('sha256 = "abc"\nchecksum_source = "s"', "not 64 hexadecimal digits"),
        (f'sha256 = "{"a" * 64}"', "no checksum_source"),
        ('checksum_source = "s"', "neither sha256 nor sha512"),
    ],
)
def test_a_release_without_a_checksum_and_its_public_source_is_refused(entry: str, complaint: str) -> None:
    with pytest.raises(ToolchainError, match=complaint):
        parse(f'{MINIMAL}\n[release.tool]\nurl = "https://example.org/tool"\n{entry}\n', {})


def test_each_program_from_source_is_pinned_in_the_go_mod_of_its_module() -> None:
    pinned = manifest()
    for program in pinned.programs.values():
        if program.module and program.package != ".":
            go_mod = (pinned.modules[program.module].directory / "go.mod").read_text()
            modules = re.findall(r"^\s*(?:require )?(\S+) v\S+", go_mod, re.MULTILINE)
            assert any(f"{program.package}/".startswith(f"{module}/") for module in modules), program.name


def test_the_go_mod_files_name_the_pinned_versions() -> None:
    pinned = manifest()
    for module, dependency, key in [
        ("cluster", "k8s.io/kubernetes", "kubernetes"),
        ("cluster", "go.etcd.io/etcd/server/v3", "etcd"),
        ("cluster", "github.com/coredns/coredns", "coredns"),
        ("cluster", "helm.sh/helm/v3", "helm"),
        ("pulumi", "github.com/pulumi/pulumi/pkg/v3", "pulumi"),
        ("metallb", "go.universe.tf/metallb", "metallb"),
    ]:
        go_mod = (pinned.modules[module].directory / "go.mod").read_text()
        assert f"{dependency} v{pinned.versions[key]}" in go_mod, key


def test_requirements_name_the_same_sdk_versions() -> None:
    requirements = (ROOT.parent / "requirements.in").read_text()
    assert f"pulumi=={toolchain.version('pulumi-python')} " in requirements
    assert f"pulumi-kubernetes=={toolchain.version('pulumi-kubernetes')} " in requirements


def test_the_lock_pins_every_package_by_hash_and_names_no_index() -> None:
    lock = (ROOT.parent / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=\S)", lock.split("make lock\n", 1)[1].strip())
    assert len(blocks) > 50
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock


def test_the_go_version_of_a_module_is_read() -> None:
    assert required_version("module m\n\ngo 1.26\n") == (1, 26)
    with pytest.raises(ToolchainError):
        required_version("module m\n")


def test_unknown_names_are_answered_with_the_known_ones(store_home: Path) -> None:
    with pytest.raises(ToolchainError, match="kubectl"):
        toolchain.program("kubectrl")
    with pytest.raises(ToolchainError, match="kubernetes"):
        toolchain.version("k8s")
    with pytest.raises(ToolchainError, match="make toolchain"):
        toolchain.program("kubectl")


def test_data_of_a_release_that_is_no_default_is_installed_by_its_name(store_home: Path) -> None:
    with pytest.raises(
        ToolchainError, match=r"not installed\. Run `python -m toolchain install istio-charts-1\.29\.1`"
    ):
        toolchain.data("istio-charts", "1.29.1")
    with pytest.raises(
        ToolchainError, match=r"there is no istio-charts 1\.2\.3; known are 1\.28\.3, 1\.29\.1"
    ):
        toolchain.data("istio-charts", "1.2.3")
    further = manifest().further["istio-charts-1.29.1"]
    assert (further.name, further.version, further.path) == ("istio-charts", "1.29.1", "manifests/charts")
    assert further.name not in {name for name in manifest().entries if name.endswith("1.29.1")}


def test_each_further_module_locks_the_one_source_that_is_copied_from() -> None:
    for entry in manifest().further.values():
        directory = manifest().modules[entry.module].directory
        lines = (directory / "go.sum").read_text().splitlines()
        assert len(lines) == 2 and all(line.startswith(f"{entry.source} ") for line in lines)
        assert lines[0].split()[1] in (directory / "go.mod").read_text()
