"""versions.toml and the versions that programs print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toolchain
from releases import Release, Seen, Support
from toolchain.ambient import parse_version
from toolchain.errors import ToolchainError
from toolchain.golang import required_version
from toolchain.manifest import ROOT, Data, Program, manifest, parse

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
    assert parse(MINIMAL).modules["m"].ldflags == ("-X main.version=v1.2.3",)


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
        parse(MINIMAL.replace(*change))


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
        parse(
            f'{MINIMAL}\n[release.tool]\nurl = "https://example.org/tool"\n[release.tool.of."1.2.3"]\n{entry}\n'
        )


@pytest.mark.parametrize("entry", [*manifest().programs.values(), *manifest().further.values()], ids=str)
def test_what_comes_from_source_is_pinned_in_the_go_mod_of_its_module(entry: Program | Data) -> None:
    pinned = manifest()
    package = entry.source if isinstance(entry, Data) else entry.package
    if not entry.module or package == ".":
        return
    assert package is not None
    go_mod = (pinned.modules[entry.module].directory / "go.mod").read_text()
    required = dict(re.findall(r"^\s*(?:require )?(\S+) v(\S+)", go_mod, re.MULTILINE))
    [version] = {required[module] for module in required if f"{package}/".startswith(f"{module}/")}
    # Istio's tags are no versions of a Go module: its go.mod names commits.
    if not package.startswith("istio.io/istio") and entry.name not in pinned.wheels:
        assert version == entry.version


def test_modules_are_there_for_the_catalogue_alone() -> None:
    assert {path.name for path in (ROOT / "modules").iterdir()} == manifest().modules.keys()


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


def shop(version: str, module: str, *, programs: bool = True, **brings: str) -> Release:
    """A release of a catalogue of the test's own."""
    support = Support("the shop")
    return Release("shop", version, Seen.READ, support, module=module, programs=programs, brings=brings)


CATALOGUE = """
[versions]
[module.shop]
ldflags = ["-s", "-X main.version=v{shop}", "-X main.minor={shop-minor}"]
[release.till]
url = "https://example.org/till-{version}"
[release.till.of."2.1.0"]
sha256 = "%s"
checksum_source = "a public text"
[program.shop]
version = "shop"
module = "shop"
package = "example.org/shop"
[program.tills]
names = ["till", "drawer"]
version = "till"
release = "till"
module = "shop"
package = "example.org/{name}"
[data.wares]
version = "shop"
module = "shop"
source = "example.org/shop"
path = "wares"
""" % ("a" * 64)


def test_each_release_has_programs_and_data_of_its_module_and_versions() -> None:
    pinned = parse(CATALOGUE, [shop("1.1.0", "one", till="2.1.0")], [shop("1.2.0", "two", till="2.2.0")])
    assert {name: entry.version for name, entry in pinned.entries.items()} == {
        "shop": "1.1.0", "till": "2.1.0", "drawer": "2.1.0", "wares": "1.1.0",
    }  # fmt: skip
    assert set(pinned.further) == {"shop-1.2.0", "till-2.2.0", "drawer-2.2.0", "wares-1.2.0"}
    assert {entry.module for entry in pinned.members["shop-1.2.0"]} == {"two"}
    assert pinned.modules["two"].ldflags == ("-s", "-X main.version=v1.2.0", "-X main.minor=2")
    assert pinned.members["shop-1.1.0"] == tuple(pinned.entries.values())


def test_a_release_file_is_that_of_the_version_whose_checksum_is_known() -> None:
    pinned = parse(CATALOGUE, [shop("1.1.0", "one", till="2.1.0")], [shop("1.2.0", "two", till="2.2.0")])
    assert pinned.programs["till"].release == "till-2.1.0"
    assert pinned.releases["till-2.1.0"].url == "https://example.org/till-2.1.0"
    further = pinned.further["till-2.2.0"]
    assert isinstance(further, Program) and further.release is None


def test_a_release_may_be_a_file_for_each_program() -> None:
    alone = CATALOGUE.replace('sha256 = "%s"\n' % ("a" * 64), "").replace("-{version}", "/{version}/{name}")
    sums = '[release.till.of."2.1.0".sha256]\ntill = "%s"\n' % ("b" * 64)
    pinned = parse(
        alone.replace("[program.shop]", f"{sums}[program.shop]"), [shop("1.1.0", "one", till="2.1.0")]
    )
    assert pinned.programs["till"].release == "till-2.1.0/till"
    assert pinned.releases["till-2.1.0/till"].url == "https://example.org/till/2.1.0/till"
    assert pinned.programs["drawer"].release is None


def test_a_program_without_a_default_release_is_installed_by_its_version_alone() -> None:
    pinned = parse(CATALOGUE, [], [shop("1.2.0", "two", till="2.1.0")])
    assert not pinned.entries
    assert set(pinned.further) == {"shop-1.2.0", "till-2.1.0", "drawer-2.1.0", "wares-1.2.0"}
    assert pinned.modules.keys() == {"two"}
    assert pinned.entry("till", "2.1.0") in pinned.members["shop-1.2.0"]
    with pytest.raises(ToolchainError, match=r"there is no till by default; known are 2\.1\.0"):
        pinned.entry("till")


def test_of_a_release_whose_programs_cannot_be_built_there_are_its_data_alone() -> None:
    other = shop("1.2.0", "two", programs=False, till="2.2.0")
    pinned = parse(CATALOGUE, [shop("1.1.0", "one", till="2.1.0")], [other])
    assert set(pinned.further) == {"wares-1.2.0"}
    assert pinned.members["shop-1.2.0"] == (pinned.further["wares-1.2.0"],)
    with pytest.raises(ToolchainError, match=r"there is no shop 1\.2\.0; known are 1\.1\.0"):
        pinned.entry("shop", "1.2.0")


def test_what_two_releases_bring_in_the_same_version_is_made_once() -> None:
    pinned = parse(CATALOGUE, [shop("1.1.0", "one", till="2.1.0")], [shop("1.2.0", "two", till="2.1.0")])
    assert set(pinned.further) == {"shop-1.2.0", "wares-1.2.0"}
    assert pinned.programs["till"] in pinned.members["shop-1.2.0"]


def test_a_version_that_no_release_has_is_answered_with_those_that_there_are() -> None:
    pinned = parse(CATALOGUE, [shop("1.1.0", "one", till="2.1.0")], [shop("1.2.0", "two", till="2.2.0")])
    assert pinned.entry("till", "2.2.0").module == "two"
    with pytest.raises(ToolchainError, match=r"there is no till 2\.3\.0; known are 2\.1\.0, 2\.2\.0"):
        pinned.entry("till", "2.3.0")


def test_what_a_release_that_is_no_default_has_is_installed_by_its_name(store_home: Path) -> None:
    for entry in manifest().further.values():
        how = rf"not installed\. Run `python -m toolchain install {entry.name}-{re.escape(entry.version)}`"
        with pytest.raises(ToolchainError, match=how):
            toolchain.program(entry.name, entry.version)
