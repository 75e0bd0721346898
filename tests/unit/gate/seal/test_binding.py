"""What a plan is bound to, read from a small copy of this project: whatever changes in it is named."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import releases
from gate.seal.binding import bind, counts
from gate.seal.bound import Bound, StateDigest
from tests.unit.operations.support import ROOT, STACK_TEXT

STATE = StateDigest("s", {})
ROLES = "playbooks/collections/ansible_collections/crossmesh/nodes/roles"
ISTIO = releases.default("istio")
TOOLCHAIN = "cache/crossmesh/toolchain"
CHARTS = f"{TOOLCHAIN}/istio-charts-{ISTIO}/istio-charts"
Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a checkout of one commit (the reference stack, the real plays, and little else), a
    store of charts and a `pulumi` that knows its version.
    """
    directory = tmp_path_factory.mktemp("template")
    made = directory / "project"
    for name in ("playbooks", "policies", "releases"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {
        "project/Pulumi.yaml": "name: crossmesh\n",
        "project/__main__.py": "",
        "project/.gitignore": "__pycache__/\n",
        "project/components/platform.py": "",
        "project/docs/guide.md": "",
        "project/requirements.lock": "pulumi==3.272.0\n",
        "project/stacks/Pulumi.lab.yaml": STACK_TEXT,
        "project/stacks/Pulumi.other.yaml": STACK_TEXT,
        "project/stacks/model/mesh.py": "",
        "project/toolchain/versions.toml": (ROOT / "toolchain/versions.toml").read_text(),
        "project/pack/PulumiPolicy.yaml": "runtime: python\n",
        f"{CHARTS}/base/Chart.yaml": "name: base\n",
        "bin/pulumi": "#!/bin/sh\necho v${ENGINE:-3.250.0}\n",
    }.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    (directory / "bin/pulumi").chmod(0o755)
    git(made, "init", "-q", "-b", "main")
    commit(made)
    return directory


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that checkout."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "project"


def git(root: Path, *arguments: str) -> None:
    author = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(
        ["git", "-C", str(root), *author, *arguments],
        check=True,
        timeout=30,
        env={**os.environ, "HOME": str(root)},
    )


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "-qm", "a change", "--allow-empty")


def bind_(root: Path) -> Bound:
    return bind(root, "lab", [root / "pack"], state=STATE)


def append(name: str, text: str = "\n# more\n") -> Change:
    return lambda root: (root / name).write_text((root / name).read_text() + text)


def create(name: str) -> Change:
    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("more")

    return make


def replace(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def test_charts_of_a_release_that_is_no_default_count_where_the_stack_names_it(root: Path) -> None:
    file = f"{TOOLCHAIN}/istio-charts-1.28.3/istio-charts/base/x"
    charts = create(file)
    before = bind_(root)
    charts(root.parent)
    assert before.differences(bind_(root)) == ()
    for program, version in (("istio", "1.28.3"), ("kubernetes", "1.34.9")):
        had = f"{program}: {releases.default(program)}"
        replace("stacks/Pulumi.lab.yaml", had, f"{program}: {version}")(root)
    named = bind_(root)
    (root.parent / file).write_text("other")
    (found,) = named.differences(bind_(root))
    assert found.startswith("charts: istio-charts-1.28.3 content differs")


def test_what_nobody_changed_differs_in_nothing(root: Path) -> None:
    assert bind_(root).differences(bind_(root)) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (commit, ["commit: HEAD differs"]),
        (append("stacks/Pulumi.lab.yaml"), ["configuration: stacks/Pulumi.lab.yaml differs"]),
        (
            replace(
                "stacks/Pulumi.lab.yaml",
                "eu-worker-1: {address: 10.101.1.12",
                "eu-worker-1: {address: 10.101.1.19",
            ),
            [
                "configuration: stacks/Pulumi.lab.yaml differs",
                "inventory: host eu-worker-1, phase prepare differs",
                "inventory: host eu-worker-1, phase join differs",
            ],
        ),
        (
            lambda root: (root / "stacks/Pulumi.lab.yaml").write_text("config: {}\n"),
            ["configuration: stacks/Pulumi.lab.yaml differs", "inventory: all hosts was not there"],
        ),
        (
            append(f"{ROLES}/join/tasks/main.yml"),
            ["roles: phase join differs", f"program: {ROLES}/join/tasks/main.yml differs"],
        ),
        (
            append(f"{ROLES}/reset/tasks/main.yml"),
            [f"program: {ROLES}/reset/tasks/main.yml differs"],
        ),
        (append("policies/images.py"), ["policies: policies/images.py differs"]),
        (append("policies/waivers.yaml"), ["policies: policies/waivers.yaml differs"]),
        (append("pack/PulumiPolicy.yaml"), ["policies: policy pack pack differs"]),
        (
            lambda root: create(f"{CHARTS}/base/x")(root.parent),
            ["charts: istio-charts content differs"],
        ),
        (
            replace("toolchain/versions.toml", 'helm = "3.18.6"', 'helm = "3.18.7"'),
            ["toolchain: helm: 3.18.6 -> 3.18.7", "toolchain: toolchain/versions.toml differs"],
        ),
        (append("requirements.lock"), ["toolchain: requirements.lock differs"]),
        (append("components/platform.py"), ["program: components/platform.py differs"]),
        (append("__main__.py"), ["program: __main__.py differs"]),
        (
            lambda root: (root / "components/platform.py").unlink(),
            ["program: components/platform.py differs"],
        ),
        (create("components/new.py"), ["program: components/new.py was not there"]),
        (create("yaml.py"), ["program: yaml.py was not there"]),
        (create("yaml/__init__.py"), ["program: yaml/__init__.py was not there"]),
    ],
)
def test_each_change_is_named(root: Path, change: Change, expected: list[str]) -> None:
    before = bind_(root)
    change(root)
    found = before.differences(bind_(root))
    for words in expected:
        assert any(line.startswith(words) for line in found), found
    kinds = {words.partition(":")[0] for words in expected}
    assert {line.partition(":")[0] for line in found} <= kinds


@pytest.mark.parametrize(
    "change",
    [
        create("gate.md"),
        create("plan.sealed"),
        create("reports/gate.json"),
        append("docs/guide.md"),
        append("stacks/Pulumi.other.yaml"),
        create("components/__pycache__/platform.cpython-311.pyc"),
    ],
)
def test_what_cannot_matter_is_no_difference(root: Path, change: Change) -> None:
    before = bind_(root)
    change(root)
    assert before.differences(bind_(root)) == ()


def test_the_engine_that_runs_counts_and_not_only_the_pinned_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bind_(root)
    monkeypatch.setenv("ENGINE", "3.251.0")
    assert before.differences(bind_(root)) == ("toolchain: installed engine: 3.250.0 -> 3.251.0",)


def test_the_sdk_that_runs_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bind_(root)
    monkeypatch.setattr("gate.seal.binding.version", lambda package: "9.9.9")
    found = before.differences(bind_(root))
    assert [line.partition(" -> ")[2] for line in found] == ["9.9.9"] * 3


def test_files_that_differ_from_the_commit_are_told_and_bound(root: Path) -> None:
    assert bind_(root).dirty == ()
    append("stacks/Pulumi.lab.yaml")(root)
    append("docs/guide.md")(root)
    create("components/new.py")(root)
    create("gate.md")(root)
    assert bind_(root).dirty == ("components/new.py", "stacks/Pulumi.lab.yaml")


def test_outside_of_git_everything_is_bound_by_content(root: Path, tmp_path: Path) -> None:
    inside = bind_(root)
    (root / ".git").rename(tmp_path / "elsewhere")
    before = bind_(root)
    (line,) = inside.differences(before)
    assert line.startswith("commit: HEAD")
    append("components/platform.py")(root)
    assert before.dirty == ()
    assert [line.partition(" differs")[0] for line in before.differences(bind_(root))] == [
        "program: components/platform.py"
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("__main__.py", True),
        ("Pulumi.yaml", True),
        ("README.md", False),
        (f"{ROLES}/base/tasks/main.yml", True),
        ("stacks/schema.json", True),
        ("stacks/Pulumi.lab.yaml", False),
        ("releases/istio/1.28.3.toml", True),
        ("toolchain/versions.toml", False),
        ("toolchain/bin/pulumi-resource-crossmesh", True),
        ("policies/images.py", False),
        ("tests/unit/test_x.py", False),
        ("lab/cli.py", False),
        ("plans/lab.sealed", False),
        ("pulumi/__init__.py", True),
        ("vendor/x.so", True),
    ],
)
def test_which_files_count(name: str, expected: bool) -> None:
    assert counts(name) is expected
