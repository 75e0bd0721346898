"""The copy that a preview runs in: what is taken, what is left, and what stands in for secrets."""

from __future__ import annotations

import errno
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from access import git
from gate import workspace
from report.errors import ConfigurationError

STACK = """\
# A comment that must stay on its line.
config:
  crossmesh:environment:
    regions:
      far: {cluster: {kind: adopted, kubeconfigSecret: farKubeconfig}}

  crossmesh:meshRootKey:
    secure: v1:AAA:key
  crossmesh:farKubeconfig: {secure: v1:AAA:kubeconfig}
  other:token:
    nested: [{secure: v1:AAA:nested}]
encryptionsalt: v1:old:salt
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small repository with one commit, one change, one new and one ignored file."""
    root = tmp_path / "checkout"
    (root / "stacks").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: crossmesh\nruntime: python\n")
    (root / "module.py").write_text("VALUE = 1\n")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "module.cpython-311.pyc").write_bytes(b"compiled")
    (root / ".gitignore").write_text("__pycache__\nignored\nPulumi.derived.yaml\n")
    (root / "stacks" / "Pulumi.lab.yaml").write_text(STACK)
    run(root, "init", "-q", "-b", "main")
    run(root, "add", ".")
    run(root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")
    (root / "module.py").write_text("VALUE = 2\n")
    (root / "new.py").write_text("")
    (root / "ignored").write_text("")
    (root / "stacks" / "Pulumi.derived.yaml").write_text(STACK)
    return root


def run(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, timeout=30, env={**os.environ, "HOME": str(root)}
    )


def test_what_belongs_to_the_project_is_copied(checkout: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    workspace.copy_tree(checkout, target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {
        ".gitignore",
        "Pulumi.yaml",
        "module.py",
        "new.py",
        "__pycache__/module.cpython-311.pyc",
        "stacks/Pulumi.lab.yaml",
        "stacks/Pulumi.derived.yaml",
    }
    assert (target / "module.py").read_text() == "VALUE = 2\n"
    assert (target / "module.py").stat().st_mtime == (checkout / "module.py").stat().st_mtime


def test_a_module_that_is_compiled_anew_just_now_stops_no_copy(checkout: Path, tmp_path: Path) -> None:
    """A name that was listed leads nowhere any more, and a file that is being written goes."""
    (checkout / "__pycache__" / "gone.cpython-311.pyc").symlink_to("nowhere")
    (checkout / "__pycache__" / "new.cpython-311.pyc.140").symlink_to("nowhere")
    workspace.copy_tree(checkout, tmp_path / "copy")
    assert (tmp_path / "copy" / "__pycache__" / "module.cpython-311.pyc").exists()
    (checkout / ".git").rename(tmp_path / "elsewhere")
    workspace.copy_tree(checkout, tmp_path / "outside of git")
    assert (tmp_path / "outside of git" / "module.py").exists()


def test_compiled_modules_that_git_knows_are_copied_once(checkout: Path, tmp_path: Path) -> None:
    run(checkout, "add", "--force", "__pycache__")
    found = workspace.attached(checkout, tmp_path / "copy", "lab")
    module = "__pycache__/module.cpython-311.pyc"
    assert (found.directory / module).read_bytes() == (checkout / module).read_bytes()


@pytest.mark.parametrize(("set_here", "seconds"), [(None, "8"), ("40", "40")])
def test_the_provider_s_requests_are_bounded_unless_the_user_bounds_them(
    set_here: str | None, seconds: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_K8S_CLIENT_TIMEOUT", raising=False)
    if set_here:
        monkeypatch.setenv("PULUMI_K8S_CLIENT_TIMEOUT", set_here)
    found = workspace.attached(checkout, tmp_path / "copy", "lab")
    assert found.environment["PULUMI_K8S_CLIENT_TIMEOUT"] == seconds


def test_outside_of_git_everything_is_copied(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".git").rename(tmp_path / "elsewhere")
    workspace.copy_tree(checkout, tmp_path / "copy")
    assert (tmp_path / "copy" / "ignored").exists()
    assert git.head(checkout) == ""
    with pytest.raises(ConfigurationError, match="no commit"):
        git.commit(checkout, "HEAD")


def test_what_a_run_writes_to_is_a_file_of_its_own_and_what_it_reads_is_not_copied(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = workspace.attached(checkout, tmp_path / "copy", "lab")
    assert (found.directory / "module.py").samefile(checkout / "module.py")
    found.stack_file.write_text("encryptionsalt: v1:other\n")
    (found.directory / "Pulumi.yaml").write_text("name: other\n")
    assert (checkout / "stacks" / "Pulumi.lab.yaml").read_text() == STACK
    assert "other" not in (checkout / "Pulumi.yaml").read_text()

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "between file systems")

    monkeypatch.setattr(os, "link", elsewhere)
    apart = workspace.attached(checkout, tmp_path / "apart", "lab")
    assert (apart.directory / "module.py").read_text() == "VALUE = 2\n"
    assert not (apart.directory / "module.py").samefile(checkout / "module.py")


def test_what_is_put_in_a_file_s_place_is_not_seen_by_a_gate_that_has_begun(
    checkout: Path, tmp_path: Path
) -> None:
    found = workspace.attached(checkout, tmp_path / "copy", "lab")
    run(checkout, "checkout", "-q", "--", "module.py")
    assert (checkout / "module.py").read_text() == "VALUE = 1\n"
    assert (found.directory / "module.py").read_text() == "VALUE = 2\n"


def test_a_commit_is_copied_as_it_was(checkout: Path, tmp_path: Path) -> None:
    found = workspace.attached(checkout, tmp_path / "copy", "lab", ref="HEAD")
    assert (found.directory / "module.py").read_text() == "VALUE = 1\n"
    assert not (found.directory / "new.py").exists()
    assert found.environment["PYTHONPATH"] == str(found.directory)


def test_a_commit_that_kept_its_secrets_out_of_git_gets_those_of_the_working_tree(
    checkout: Path, tmp_path: Path
) -> None:
    file = checkout / "stacks" / "Pulumi.lab.yaml"
    bare = STACK[: STACK.index("  crossmesh:meshRootKey")]
    file.write_text(bare)
    run(checkout, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "bare")
    file.write_text(bare + "  crossmesh:meshRootKey:\n    secure: v1:AAA:key\nencryptionsalt: v1:new:salt\n")
    found = workspace.attached(checkout, tmp_path / "copy", "lab", ref="HEAD")
    copied = yaml.safe_load(found.stack_file.read_text())
    assert copied["config"]["crossmesh:meshRootKey"] == {"secure": "v1:AAA:key"}
    assert copied["encryptionsalt"] == "v1:new:salt"


def test_a_repository_that_git_does_not_read_is_refused_in_git_s_words(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ConfigurationError, match=r"(?s)'HEAD' is no commit.*safe\.directory"):
        git.commit(checkout, "HEAD")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="git is not on PATH"):
        git.commit(checkout, "HEAD")


def test_a_base_that_is_no_commit_is_refused_with_the_way_to_get_it(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as whole:
        git.commit(checkout, "origin/nowhere")
    assert "fetch" not in str(whole.value)
    shallow = tmp_path / "shallow"
    run(tmp_path, "clone", "-q", "--depth=1", f"file://{checkout}", str(shallow))
    with pytest.raises(ConfigurationError, match="git fetch --depth=1 origin nowhere`"):
        git.commit(shallow, "origin/nowhere")
    for no_name in ("--help", "HEAD~7", ""):
        with pytest.raises(ConfigurationError, match="no commit") as raised:
            git.commit(shallow, no_name)
        assert "fetch" not in str(raised.value)


def test_a_file_of_a_commit_is_found_in_a_project_below_the_repository_s_root(tmp_path: Path) -> None:
    project = tmp_path / "platform"
    (project / "stacks").mkdir(parents=True)
    (project / "stacks" / "one").write_text("1")
    (project / "stacks" / "two").write_bytes(b"\xff")
    run(tmp_path, "init", "-q")
    run(tmp_path, "add", ".")
    run(tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")
    assert git.text(project, "HEAD", "stacks/one") == "1"
    assert git.text(project, "HEAD", "stacks/none") is None
    with pytest.raises(ConfigurationError, match="UTF-8"):
        git.text(project, "HEAD", "stacks/two")


def test_odd_names_and_links_that_lead_outside_stop_nothing(checkout: Path, tmp_path: Path) -> None:
    (checkout / os.fsdecode(b"odd\xff.txt")).write_text("odd")
    (checkout / "outside").symlink_to("/etc/hostname")
    run(checkout, "add", "outside")
    run(checkout, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "link")
    workspace.copy_tree(checkout, tmp_path / "copy")
    assert (tmp_path / "copy" / os.fsdecode(b"odd\xff.txt")).exists()
    found = workspace.attached(checkout, tmp_path / "commit", "lab", ref="HEAD")
    assert (found.directory / "module.py").exists()
    assert not (found.directory / "outside").is_symlink()


def test_a_commit_is_copied_by_the_python_of_debian_12(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose `tarfile` has no filters."""
    for name in ("data_filter", "FilterError"):
        monkeypatch.delattr(tarfile, name, raising=False)
    copy = workspace.attached(checkout, tmp_path / "copy", "lab", ref="HEAD")
    assert copy.stack_file.is_file()


def test_dirtiness_counts_new_files_and_not_ignored_ones(checkout: Path) -> None:
    assert git.dirty(checkout)
    run(checkout, "add", "new.py", "module.py")
    run(checkout, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "second")
    assert not git.dirty(checkout)


def test_what_no_run_reads_is_not_copied_for_one(checkout: Path, tmp_path: Path) -> None:
    """Half of the project's files are tests and pages."""
    for name in ("docs", "stacks/tests"):
        (checkout / name).mkdir()
        (checkout / name / "page").touch()
    workspace.begin(checkout, tmp_path / "copy")
    assert not (tmp_path / "copy/docs").exists()
    assert (tmp_path / "copy/stacks/tests/page").exists()


def test_outside_of_git_as_well(tmp_path: Path) -> None:
    for name in ("tests", "stacks/tests", "stacks/.git"):
        (tmp_path / "project" / name).mkdir(parents=True)
        (tmp_path / "project" / name / "page").touch()
    workspace.begin(tmp_path / "project", tmp_path / "copy")
    found = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("page")}
    assert found == {"stacks/tests/page"}


def test_a_copy_that_was_begun_is_the_workspace_s(checkout: Path, tmp_path: Path) -> None:
    workspace.begin(checkout, tmp_path / "copy")
    (tmp_path / "copy/begun").touch()
    made = workspace.attached(checkout, tmp_path / "copy", "lab")
    assert (made.directory / "begun").exists()
