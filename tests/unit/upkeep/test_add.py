"""`python -m releases add`: the file and the module of a release, both or neither, checksums verified."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import releases
from report.exit_codes import ExitCode
from tests.unit.upkeep import conftest as sources
from tests.unit.upkeep.conftest import FakeGo
from upkeep import add as adding
from upkeep.command import main


def add(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["add", *arguments])


@pytest.fixture
def kubernetes(go: FakeGo, catalogue: Path, tmp_path: Path) -> FakeGo:
    """A proxy that has Kubernetes 1.34.10."""
    source = sources.kubernetes(tmp_path / "kubernetes")
    go.has(sources={"k8s.io/kubernetes@v1.34.10": str(source), **sources.brought(tmp_path / "brought")})
    return go


@pytest.fixture
def metallb(go: FakeGo, catalogue: Path, tmp_path: Path) -> FakeGo:
    """A proxy that has MetalLB 0.16.9 and the one before it."""
    newest = releases.versions("metallb")[-1]
    go.has(
        sources={
            f"go.universe.tf/metallb@v{newest}": str(sources.metallb(tmp_path / "before", f"v{newest}")),
            "go.universe.tf/metallb@v0.16.9": str(sources.metallb(tmp_path / "metallb", "v0.16.9")),
        }
    )
    return go


def left(catalogue: Path, program: str, version: str) -> list[Path]:
    """What there is of a release."""
    return [path for path in catalogue.rglob(f"*{version}*") if program in str(path.relative_to(catalogue))]


def test_a_release_gets_its_file_and_a_module_with_its_programs(kubernetes: FakeGo, catalogue: Path) -> None:
    result = add("kubernetes", "1.34.10")
    assert result.exit_code == ExitCode.CLEAN, result.output
    found = releases.read(catalogue / "releases/kubernetes/1.34.10.toml")
    assert found.images["kube-proxy"] == "registry.k8s.io/kube-proxy:v1.34.10"
    module = (catalogue / "toolchain/modules/kubernetes-1.34.10/go.mod").read_text()
    assert found.module == "kubernetes-1.34.10"
    assert module.startswith("module tools/kubernetes-1.34.10\n\ngo 1.24.0\n")
    for required in (
        "k8s.io/kubernetes v1.34.10",
        "go.etcd.io/etcd/server/v3 v3.6.5",
        "github.com/coredns/coredns v1.12.1",
    ):
        assert f"\t{required}\n" in module
    assert "godebug default=go1.24\n" in module
    for tool in ("k8s.io/kubernetes/cmd/kubelet", "go.etcd.io/etcd/etcdctl/v3", "github.com/coredns/coredns"):
        assert f"\t{tool}\n" in module
    assert "\tk8s.io/kubelet => k8s.io/kubelet v0.34.10\n" in module
    assert (catalogue / "toolchain/modules/kubernetes-1.34.10").stat().st_mode & 0o777 == 0o755


def test_it_says_what_was_read_and_what_was_taken_over_and_what_comes_next(kubernetes: FakeGo) -> None:
    words = " ".join(add("kubernetes", "1.34.10").output.split())
    assert "read in its source: etcd 3.6.5, CoreDNS 1.12.1, pause 3.10.1" in words
    assert "taken over from 1.34.9: see whether it still holds: support: until 2026-10-27" in words
    assert "next: make docs make unit python -m pytest tests/gate/test_further_releases.py" in words


def test_it_says_with_which_releases_of_the_others_it_goes_together() -> None:
    known = releases.release("kubernetes", "1.35.3")
    found = adding.together(known)
    assert "1.29.1" in found["istio"]
    assert "1.28.3" not in found["istio"], "it runs on Kubernetes up to 1.34"
    assert found["metallb"] == releases.versions("metallb")
    assert adding.together(replace(known, version="1.99.0"))["istio"] == ()


def test_json_says_the_same(kubernetes: FakeGo) -> None:
    found = json.loads(CliRunner().invoke(main, ["add", "kubernetes", "1.34.10", "--json"]).stdout)
    assert found["release"]["brings"] == {"coredns": "1.12.1", "etcd": "3.6.5"}
    assert found["difference"]["before"] == "1.34.9"
    assert found["next"][0] == "make docs"


def test_go_verifies_checksums_by_the_database_and_by_the_program_s_own_go_sum(
    kubernetes: FakeGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOSUMDB", "off")
    monkeypatch.setenv("GONOSUMDB", "*")
    monkeypatch.setenv("GOFLAGS", "-insecure")
    assert add("kubernetes", "1.34.10").exit_code == ExitCode.CLEAN
    (tidy,) = [call for call in kubernetes.calls if call["arguments"] == ["mod", "tidy"]]
    assert (tidy["GOSUMDB"], tidy["GONOSUMDB"], tidy["GOFLAGS"]) == (None, None, "-mod=mod")
    assert (kubernetes.home / "seed.sum").read_text().splitlines() == [
        "github.com/coredns/caddy v1.1.1 h1:c=",
        "go.etcd.io/bbolt v1.4.0 h1:b=",
    ]


def test_a_module_that_does_not_resolve_leaves_nothing_and_names_what_is_missing(
    kubernetes: FakeGo, catalogue: Path
) -> None:
    kubernetes.has(
        unserved="go: k8s.io/kubernetes/cmd/kubelet imports\n"
        "\tk8s.io/cri-api/pkg: k8s.io/cri-api@v0.34.10: reading https://proxy.example: 403 Forbidden\n"
        "\tk8s.io/cri-api/apis: k8s.io/cri-api@v0.34.10: reading https://proxy.example: 403 Forbidden\n"
    )
    result = add("kubernetes", "1.34.10")
    assert result.exit_code == ExitCode.TOOL_ERROR
    assert result.output.count("k8s.io/cri-api@v0.34.10: reading") == 1
    assert "imports" not in result.output
    assert left(catalogue, "kubernetes", "1.34.10") == []


def test_nothing_is_left_when_the_file_cannot_be_written(
    kubernetes: FakeGo, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adding, "write_whole", full)
    result = add("kubernetes", "1.34.10")
    assert result.exit_code == ExitCode.TOOL_ERROR
    assert "No space left on device" in result.output
    assert left(catalogue, "kubernetes", "1.34.10") == []


def test_a_release_that_is_there_is_not_made_again(go: FakeGo, catalogue: Path) -> None:
    before = (catalogue / "releases/kubernetes/1.34.9.toml").read_text()
    result = add("kubernetes", "1.34.9")
    assert result.exit_code == ExitCode.USAGE
    assert "1.34.9.toml is there already" in result.output
    assert (catalogue / "releases/kubernetes/1.34.9.toml").read_text() == before


def test_a_tag_that_the_proxy_does_not_know_may_be_given_as_a_version(
    go: FakeGo, catalogue: Path, tmp_path: Path
) -> None:
    result = add("istio", "1.28.9")
    assert result.exit_code == ExitCode.TOOL_ERROR
    assert "--module v0.0.0-DATE-COMMIT" in result.output
    go.has(sources={"istio.io/istio@v0.0.0-1-abc": str(sources.istio(tmp_path / "istio", api="v1.29.0"))})
    result = add("istio", "1.28.9", "--module", "v0.0.0-1-abc")
    assert "the module is of Istio 1.29" in result.output


def test_a_release_shows_what_its_objects_differ_in_from_the_one_before(metallb: FakeGo) -> None:
    result = add("metallb", "0.16.9")
    assert result.exit_code == ExitCode.CLEAN, result.output
    assert f"MetalLB {releases.versions('metallb')[-1]} → 0.16.9" in result.output
    assert "nothing differs" in result.output, "but the version"
    assert "python -m toolchain install metallb-manifests-0.16.9" in result.output


def test_without_its_programs_a_module_pins_the_source_of_its_manifests(
    metallb: FakeGo, catalogue: Path
) -> None:
    metallb.has(unserved="go: github.com/metallb/frr-k8s@v0.0.27: 403 Forbidden")
    assert "--data-only adds it without its programs" in add("metallb", "0.16.9").output
    assert add("metallb", "0.16.9", "--data-only").exit_code == ExitCode.CLEAN
    assert not releases.read(catalogue / "releases/metallb/0.16.9.toml").programs
    module = catalogue / "toolchain/modules/metallb-0.16.9"
    assert (module / "go.mod").read_text() == (
        "module tools/metallb-0.16.9\n\ngo 1.25.0\n\nrequire go.universe.tf/metallb v0.16.9\n"
    )
    assert (module / "go.sum").read_text() == (
        "go.universe.tf/metallb v0.16.9 h1:s=\ngo.universe.tf/metallb v0.16.9/go.mod h1:m=\n"
    )


def test_of_kubernetes_nothing_would_be_left_without_its_programs(kubernetes: FakeGo) -> None:
    assert add("kubernetes", "1.34.10", "--data-only").exit_code == ExitCode.USAGE


def test_a_new_minor_of_kubernetes_has_its_configuration_described_next(
    go: FakeGo, catalogue: Path, tmp_path: Path
) -> None:
    source = sources.kubernetes(tmp_path / "kubernetes")
    go.has(sources={"k8s.io/kubernetes@v1.99.0": str(source), **sources.brought(tmp_path / "brought")})
    asked = add("kubernetes", "1.99.0")
    assert asked.exit_code == ExitCode.USAGE
    assert "--until DATE" in asked.output
    until = ("--until", "2036-02-28", "its makers")
    runs_on = ("--runs-on", "containerd=2.2+", "its makers")
    result = add("kubernetes", "1.99.0", *until, *runs_on)
    assert result.exit_code == ExitCode.CLEAN, result.output
    words = " ".join(result.output.split())
    assert "goes together with Istio: no release of the catalogue" in words
    for target in ("configurations", "served"):
        assert f"make {target} MODULE=toolchain/modules/kubernetes-1.99.0" in words


@pytest.mark.parametrize(
    "arguments",
    [
        ("kubernetes", "1.34"),
        ("etcd", "3.6.5"),
        ("kubernetes", "1.34.10", "--like", "1.0.0"),
        ("kubernetes", "1.34.10", "--until", "soon", "its makers"),
        ("kubernetes", "1.34.10", "--runs-on", "docker=1.0", "its makers"),
        ("kubernetes", "1.34.10", "--runs-on", "containerd=new", "its makers"),
    ],
)
def test_what_is_given_wrongly_is_refused(arguments: tuple[str, ...], kubernetes: FakeGo) -> None:
    assert add(*arguments).exit_code == ExitCode.USAGE
