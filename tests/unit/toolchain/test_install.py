"""Where programs come from, and what an interruption leaves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.toolchain.conftest import Site, packed, pinned, script
from toolchain import ambient, golang, install, reduced, store
from toolchain.errors import ToolchainError
from toolchain.manifest import ROOT, Manifest, Module, Program, Reduced
from toolchain.manifest import manifest as actual
from toolchain.release import Releases, ReleaseUnavailable

TOOL = Program("tool", "1.2.3", ("--version",))


class FakeBuilder(golang.Builder):
    """A compiler that writes a script, and can be interrupted."""

    def __init__(self, manifest: Manifest, *, interrupted: bool = False) -> None:
        super().__init__(manifest)
        self.interrupted = interrupted
        self.builds = 0

    def build(self, module: Module, packages: dict[str, str], work: Path) -> dict[str, Path]:
        self.builds += 1
        files = {name: script(work / name, "tool 1.2.3") for name in packages}
        if self.interrupted:
            raise KeyboardInterrupt
        return files


def installer(manifest: Manifest, builder: FakeBuilder) -> install.Installer:
    """An installer whose release site does not answer."""
    made = install.Installer(manifest, Releases(timeout=1))
    made.builder = builder
    return made


def test_a_program_on_path_in_the_pinned_version_is_used_as_it_is(
    store_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = script(tmp_path / "bin" / "tool", "tool v1.2.3")
    monkeypatch.setenv("PATH", f"{mine.parent}:/usr/bin:/bin")
    manifest = pinned()
    builder = FakeBuilder(manifest)
    installer(manifest, builder).run(manifest.programs.values())
    installed = store.entry_dir("tool", "1.2.3") / "tool"
    assert installed.resolve() == mine
    assert builder.builds == 0
    record = store.read_record("tool", "1.2.3")
    assert record is not None and record.origin == "path"


def test_another_version_on_path_is_not_used(tmp_path: Path, store_home: Path) -> None:
    script(tmp_path / "bin" / "tool", "tool v1.2.30")
    assert ambient.find(TOOL, str(tmp_path / "bin")) is None


def test_a_later_directory_of_path_is_looked_at_too(tmp_path: Path, store_home: Path) -> None:
    script(tmp_path / "old" / "tool", "tool 1.0.0")
    right = script(tmp_path / "new" / "tool", "tool 1.2.3")
    assert ambient.find(TOOL, f"{tmp_path / 'old'}:{tmp_path / 'new'}") == right


def test_the_toolchains_own_programs_do_not_count_as_path(store_home: Path) -> None:
    script(store_home / "tool-1.2.3" / "tool", "tool 1.2.3")
    assert ambient.find(TOOL, str(store_home / "tool-1.2.3")) is None


def test_a_program_for_images_must_be_static(tmp_path: Path, store_home: Path) -> None:
    script(tmp_path / "bin" / "tool", "tool 1.2.3")
    static = Program("tool", "1.2.3", ("--version",), static=True)
    assert ambient.find(static, str(tmp_path / "bin")) is None
    assert not ambient.is_static(Path(os.path.realpath("/bin/sh")))


def test_a_program_on_path_that_changed_is_missing_again(
    store_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = script(tmp_path / "bin" / "tool", "tool v1.2.3")
    monkeypatch.setenv("PATH", f"{mine.parent}:/usr/bin:/bin")
    manifest = pinned()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    assert install.is_installed(manifest.programs["tool"], manifest)
    script(mine, "tool v1.2.4 now")
    assert not install.is_installed(manifest.programs["tool"], manifest)


def test_an_unreachable_release_falls_back_to_source(store_home: Path) -> None:
    manifest = pinned()
    builder = FakeBuilder(manifest)
    run = installer(manifest, builder)
    run.run(manifest.programs.values())
    assert builder.builds == 1
    assert "127.0.0.1:9" in run.releases.unreachable
    record = store.read_record("tool", "1.2.3")
    assert record is not None and record.origin == "source"
    assert store.problems(record) == []


def test_what_release_sites_have_is_taken_from_them_and_not_built(site: Site, store_home: Path) -> None:
    ours = actual()
    wanted = [
        entry
        for entry in [*ours.programs.values(), *ours.further.values()]
        if isinstance(entry, Program) and entry.release
    ]
    members: dict[str, dict[str, bytes]] = {}
    for program in wanted:
        assert program.release is not None
        content = f"{program.name} {program.version}".encode()
        members.setdefault(program.release, {})[program.member or ""] = content
    served = {}
    for name, files in members.items():
        path = urllib.parse.urlsplit(ours.releases[name].url).path
        body = site.files[path] = files.get("") or packed(files)
        digest = hashlib.new(ours.releases[name].algorithm, body).hexdigest()
        served[name] = dataclasses.replace(ours.releases[name], url=site.url + path, checksum=digest)
    manifest = dataclasses.replace(ours, releases=served)
    builder = FakeBuilder(manifest)
    installer(manifest, builder).run(wanted)
    assert builder.builds == 0
    for program in wanted:
        file = store.entry_dir(program.name, program.version) / program.name
        assert file.read_text() == f"{program.name} {program.version}"
        record = store.read_record(program.name, program.version)
        assert record is not None and record.origin == "release"


def test_nothing_is_built_twice(store_home: Path) -> None:
    manifest = pinned()
    builder = FakeBuilder(manifest)
    for _ in range(2):
        installer(manifest, builder).run(manifest.programs.values())
    assert builder.builds == 1


def test_an_interrupted_installation_leaves_nothing_in_place_and_the_next_one_completes_it(
    store_home: Path,
) -> None:
    manifest = pinned()
    with pytest.raises(KeyboardInterrupt):
        installer(manifest, FakeBuilder(manifest, interrupted=True)).run(manifest.programs.values())
    assert not store.entry_dir("tool", "1.2.3").exists()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    assert install.is_installed(manifest.programs["tool"], manifest)


def test_a_killed_placement_is_not_taken_for_an_installed_program(store_home: Path) -> None:
    # What a kill between two system calls can leave: a work directory, or an entry without its record.
    half = store_home / ".tool-abc123"
    script(half / "tool", "tool 1.2.3")
    script(store_home / "tool-1.2.3" / "tool", "tool 1.2.3")
    manifest = pinned()
    assert not install.is_installed(manifest.programs["tool"], manifest)
    store.clear_leftovers()
    assert not half.exists()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    assert install.is_installed(manifest.programs["tool"], manifest)


def test_another_recipe_installs_again(store_home: Path) -> None:
    manifest = pinned()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    manifest.modules["metallb-0.15.2"] = Module("metallb-0.15.2", ("-s", "-w"))
    assert not install.is_installed(manifest.programs["tool"], manifest)


def test_a_changed_file_is_found_by_its_content(store_home: Path) -> None:
    manifest = pinned()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    file = store.entry_dir("tool", "1.2.3") / "tool"
    status = file.stat()
    file.write_text(file.read_text().replace("1.2.3", "6.6.6"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    record = store.read_record("tool", "1.2.3")
    assert record is not None
    assert "SHA-256" in store.problems(record)[0]


def test_a_damaged_record_counts_as_missing(store_home: Path) -> None:
    manifest = pinned()
    installer(manifest, FakeBuilder(manifest)).run(manifest.programs.values())
    (store.entry_dir("tool", "1.2.3") / store.RECORD).write_text('{"name": "tool"')
    assert not install.is_installed(manifest.programs["tool"], manifest)


def test_two_installations_do_not_run_at_once(store_home: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time; from toolchain import store\n"
        "with store.lock():\n    print('held', flush=True); sys.stdin.read()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    second = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert second.stderr is not None
    assert f"process {holder.pid}" in second.stderr.readline()
    time.sleep(0.1)
    assert second.poll() is None
    holder.stdin.close()
    assert second.wait(timeout=10) == 0
    holder.wait(timeout=10)


def test_a_release_that_is_refused_still_ends_in_a_verified_program(
    store_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = pinned()
    builder = FakeBuilder(manifest)
    run = installer(manifest, builder)

    def refuse(*_: object) -> Path:
        raise ReleaseUnavailable("http://127.0.0.1:9/tool.tar.gz has a wrong checksum")

    monkeypatch.setattr(run.releases, "fetch", refuse)
    run.run(manifest.programs.values())
    assert builder.builds == 1


def test_go_is_called_with_verification_on_and_without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-insecure")
    monkeypatch.setenv("GOSUMDB", "off")
    monkeypatch.setenv("GONOSUMDB", "*")
    environment = golang.go_env()
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOFLAGS"] == "-buildvcs=false"
    assert "GOSUMDB" not in environment
    assert "GONOSUMDB" not in environment


def test_embedded_files_are_copied_out_of_the_module_with_the_version_written_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolchain.manifest import manifest

    module = manifest().modules["provider"]
    source = tmp_path / "module"
    folder = source / "cmd" / "pulumi-resource-kubernetes"
    folder.mkdir(parents=True)
    (folder / "schema.json").write_text('{"name": "kubernetes"}')
    (folder / "terraform-mapping.json").write_text("{}")
    builder = golang.Builder(manifest())
    monkeypatch.setattr(builder, "source_dir", lambda *_: source)
    directory = builder.prepare(module, tmp_path / "work")
    assert json.loads((directory / "schema.json").read_text()) == {"name": "kubernetes", "version": "4.25.0"}
    assert (directory / "terraform-mapping.json").exists()
    assert (directory / "go.sum").read_bytes() == (module.directory / "go.sum").read_bytes()
    shutil.rmtree(directory)


def test_the_kubernetes_provider_is_built_with_a_part_of_its_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolchain.manifest import manifest

    source = tmp_path / "sdk"
    kinds = source / "go" / "kubernetes"
    for name in (
        "provider.go",
        "core/v1/pod.go",
        "helm/v4/chart.go",
        "helm/v4/chart_test.go",
        "yaml/v2/kinds.go",
    ):
        (kinds / name).parent.mkdir(parents=True, exist_ok=True)
        (kinds / name).write_text("package theirs\n")
    (source / "go.mod").write_text("module github.com/pulumi/pulumi-kubernetes/sdk/v4\n")
    module = replace(manifest().modules["provider"], embed=None)
    builder = golang.Builder(manifest())
    monkeypatch.setattr(builder, "source_dir", lambda *_: source)
    directory = builder.prepare(module, tmp_path / "work")
    part = directory / "reduced" / "0"
    assert {str(path.relative_to(part)) for path in part.rglob("*") if path.is_file()} == {
        "go.mod",
        "go/kubernetes/provider.go",
        "go/kubernetes/helm/v4/chart.go",
        "go/kubernetes/yaml/v2/kinds.go",
    }
    assert "func RegisterResource" in (part / "go/kubernetes/yaml/v2/kinds.go").read_text()
    assert (
        "replace github.com/pulumi/pulumi-kubernetes/sdk/v4 => ./reduced/0\n"
        in (directory / "go.mod").read_text()
    )


PLUGIN = "example.org/dns/plugin/cloud"
"""A package of a library that is left out."""


def library(directory: Path, imports: str) -> Path:
    """A library's source, one file of which imports that package."""
    (directory / "plugin" / "cloud").mkdir(parents=True)
    (directory / "go.mod").write_text("module example.org/dns\n")
    (directory / "all.go").write_text(f"package dns\n\nimport (\n{imports})\n")
    (directory / "plugin" / "cloud" / "cloud.go").write_text("package cloud\n")
    return directory


def test_a_package_that_is_imported_for_its_effects_can_be_left_out(tmp_path: Path) -> None:
    source = library(tmp_path / "source", f'\t_ "example.org/dns/plugin/file"\n\t_ "{PLUGIN}"\n')
    reduced.copy(Reduced("example.org/dns", without=(PLUGIN,)), source, tmp_path / "part")
    assert (tmp_path / "part" / "all.go").read_text() == (
        'package dns\n\nimport (\n\t_ "example.org/dns/plugin/file"\n)\n'
    )
    assert PLUGIN in (source / "all.go").read_text()


def test_a_package_that_is_used_is_not_left_out(tmp_path: Path) -> None:
    source = library(tmp_path / "source", f'\tcloud "{PLUGIN}"\n')
    with pytest.raises(ToolchainError, match=r"plugin/cloud cannot be left out: all.go uses it"):
        reduced.copy(Reduced("example.org/dns", without=(PLUGIN,)), source, tmp_path / "part")


def test_another_part_of_a_library_is_another_recipe() -> None:
    from toolchain.manifest import manifest

    module = manifest().modules["pulumi"]
    recipe = install.module_recipe(module, ())
    assert recipe != install.module_recipe(replace(module, reduced=()), ())
    assert recipe != install.module_recipe(module, ["x/..."])


def test_what_does_not_compile_is_said_though_other_packages_are_compiled_after_it(
    store_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    others = "\n".join(f"echo x/after{number} >&2" for number in range(40))
    go.write_text(
        '#!/bin/sh\ncase " $* " in *" -v "*) ;; *) exit 1 ;; esac\n'
        f"echo x/broken >&2\necho '# x/broken' >&2\necho 'broken.go:1: no such field' >&2\n{others}\nexit 1\n"
    )
    go.chmod(0o755)
    manifest = pinned()
    builder = golang.Builder(manifest)
    monkeypatch.setattr(golang.Builder, "go", str(go))
    with pytest.raises(ToolchainError, match=r"broken\.go:1: no such field") as failed:
        builder.build(manifest.modules["metallb-0.15.2"], {"tool": "x/tool"}, golang.scratch())
    assert "x/after" not in str(failed.value)
