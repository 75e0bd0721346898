"""Control groups of both versions, in directories that look like them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import cgroups
from lab.errors import LabError


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two hierarchies of version 1."""
    found = [tmp_path / "cpuset", tmp_path / "memory"]
    for hierarchy in found:
        hierarchy.mkdir()
    monkeypatch.setattr(cgroups, "hierarchies", lambda: found)
    return found


def test_hierarchies_of_both_versions_are_found_and_parts_of_them_are_not(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 24 0:26 /some/group /elsewhere rw - cgroup cgroup rw,memory\n"
        "33 24 0:28 / /tmp rw - tmpfs tmpfs rw\n"
    )
    assert cgroups.hierarchies(mountinfo) == [
        Path("/sys/fs/cgroup/memory"),
        Path("/sys/fs/cgroup/unified"),
    ]


def test_a_computer_without_control_groups_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("33 24 0:28 / /tmp rw - tmpfs tmpfs rw\n")
    with pytest.raises(LabError, match="no control groups"):
        cgroups.hierarchies(tmp_path / "mountinfo")


def test_a_group_is_made_in_every_hierarchy_and_again_without_harm(v1: list[Path]) -> None:
    first = cgroups.create("lab", "eu-a")
    assert first == [hierarchy / "crossmesh/lab/eu-a" for hierarchy in v1]
    assert cgroups.create("lab", "eu-a") == first
    assert cgroups.members("lab") == {"eu-a"}


def test_version_2_delegates_every_controller_above_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in (
        tmp_path,
        tmp_path / "crossmesh",
        tmp_path / "crossmesh/lab",
        tmp_path / "crossmesh/lab/a",
    ):
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.controllers").write_text("cpu memory\n")
        (directory / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    cgroups.create("lab", "a")
    # A file of the kernel adds; one of the test keeps what was written last.
    assert (tmp_path / "crossmesh/lab/cgroup.subtree_control").read_text() == "+memory"
    # The machine's own group is its own business.
    assert (tmp_path / "crossmesh/lab/a/cgroup.subtree_control").read_text() == ""


def test_beside_version_1_nothing_is_delegated_in_version_2(
    v1: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unified = tmp_path / "unified"
    unified.mkdir()
    (unified / "cgroup.controllers").write_text("hugetlb\n")
    (unified / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [*v1, unified])
    cgroups.create("lab", "a")
    assert (unified / "cgroup.subtree_control").read_text() == ""


def test_a_command_enters_the_groups_before_it_becomes_the_program(tmp_path: Path) -> None:
    groups = [tmp_path / "one", tmp_path / "two"]
    for group in groups:
        group.mkdir()
    argv = cgroups.entering(groups, ["/bin/sh", "-c", 'echo "$$ $0"', "an argument"])
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    pid, _, argument = out.strip().partition(" ")
    assert argument == "an argument"
    assert [(group / "cgroup.procs").read_text().strip() for group in groups] == [pid, pid]


def test_a_machine_that_starts_again_finds_no_groups_of_its_dead_containers(tmp_path: Path) -> None:
    group = tmp_path / "memory/crossmesh/lab/eu-a"
    (group / "kubepods/burstable/pod-1/container-1").mkdir(parents=True)
    (group / "system.slice/ssh.service").mkdir(parents=True)
    seen = subprocess.run(
        cgroups.entering([group], ["ls", str(group)]), capture_output=True, text=True, check=True
    )
    assert seen.stdout.split() == ["cgroup.procs"]
    assert seen.stderr == ""


def test_a_group_that_stays_busy_is_named_and_keeps_no_machine_from_starting(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    # A directory that rmdir refuses, as it does a group with a process in it.
    (tmp_path / "busy/process").touch()
    started = subprocess.run(
        cgroups.entering([tmp_path], ["echo", "started"]), capture_output=True, text=True, check=True
    )
    assert started.stdout == "started\n"
    assert str(tmp_path / "busy") in started.stderr


def test_processes_of_groups_below_count_and_other_machines_do_not(v1: list[Path]) -> None:
    for member, pid in (("a/deep/er", 11), ("a", 12), ("b", 13)):
        group = v1[1] / "crossmesh/lab" / member
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(f"{pid}\n")
    assert cgroups.processes("lab", "a") == {11, 12}
    assert cgroups.processes("lab") == {11, 12, 13}
    assert cgroups.processes("other") == set()


def test_removing_a_lab_leaves_other_labs_alone(v1: list[Path]) -> None:
    cgroups.create("lab", "a")
    cgroups.create("other", "a")
    cgroups.remove("lab")
    assert not (v1[0] / "crossmesh/lab").exists()
    assert (v1[0] / "crossmesh/other/a").exists()
    cgroups.remove("other")
    assert not any(v1[0].iterdir())
