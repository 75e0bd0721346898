"""etcd's data that a new control plane begins from: laid once, kept over a reset, never taken for none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import restored
from ansible_collections.crossmesh.nodes.plugins.module_utils.kubeadm_program import KubeadmError


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(restored, "ETCD", tmp_path / "etcd")
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def lie(state: Path) -> Path:
    """Data that a restore has put there."""
    member = state / "etcd-restored" / "member"
    member.mkdir(parents=True)
    (member / "db").write_text("restored")
    return member


def test_without_a_restore_kubeadm_is_asked_as_ever(state: Path) -> None:
    restored.keep(state)
    assert restored.lay(state) == ()
    assert not restored.ETCD.exists()


@pytest.mark.parametrize("another_disk", [False, True])
def test_etcd_begins_from_them_and_they_outlive_a_reset(
    state: Path, monkeypatch: pytest.MonkeyPatch, another_disk: bool
) -> None:
    if another_disk:
        rename = Path.rename

        def across(self: Path, target: Path) -> Path:
            if self.parent != target.parent:
                raise OSError(errno.EXDEV, "another disk")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", across)
    kept, own = lie(state), restored.ETCD / "member"
    assert restored.lay(state) == ("--ignore-preflight-errors=DirAvailable--var-lib-etcd",)
    assert (own / "db").read_text() == "restored" and not kept.exists()
    (own / "db").write_text("and written since")
    restored.keep(state)
    assert (kept / "db").read_text() == "and written since" and not own.exists()
    assert restored.lay(state)
    assert (own / "db").read_text() == "and written since"
    restored.forget(state)
    assert list(state.iterdir()) == []


def test_of_two_the_one_that_was_to_begin_from_is_kept(state: Path) -> None:
    kept, own = lie(state), restored.ETCD / "member"
    own.mkdir(parents=True)
    (own / "db").write_text("half")
    restored.keep(state)
    assert (kept / "db").read_text() == "restored"
    restored.lay(state)
    assert (own / "db").read_text() == "restored"


def test_data_that_are_gone_are_not_taken_for_an_empty_store(state: Path) -> None:
    lie(state).rename(state / "elsewhere")
    with pytest.raises(KubeadmError, match="restore-on-new-machines"):
        restored.lay(state)
