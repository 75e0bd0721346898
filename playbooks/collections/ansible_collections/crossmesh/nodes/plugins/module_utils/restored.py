"""What a restore leaves on a control plane's host: what etcd of a new one begins from, and on one that runs
the mark that its store was exchanged for a backup's.

What a new one begins from lies apart until kubeadm makes the control plane, and again whenever one that was
not finished is cleared: what was not laid is never taken for an empty store, which would be another cluster.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils.kubeadm_program import KubeadmError

ETCD = Path("/var/lib/etcd")
_NAME = "etcd-restored"
_OPTION = "--ignore-preflight-errors=DirAvailable--var-lib-etcd"


def keep(state: Path) -> None:
    """Have the data outlive the reset of a control plane that was not finished. state: where they lay."""
    own, kept = ETCD / "member", state / _NAME / "member"
    # Where both are there, a move was interrupted, and the one to begin from is whole.
    if kept.parent.is_dir() and own.is_dir() and not kept.is_dir():
        move(own, kept)


def lay(state: Path) -> tuple[str, ...]:
    """Have etcd begin from the data; return kubeadm's options for that, none where there are no data.

    Raises KubeadmError where they are gone that were there.
    """
    own, kept = ETCD / "member", state / _NAME / "member"
    if not kept.parent.is_dir():
        return ()
    if not kept.is_dir():
        raise KubeadmError(
            f"{kept} is not there, from which etcd was to begin: run `crossmesh runbook run "
            "restore-on-new-machines` again"
        )
    ETCD.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(own, ignore_errors=True)
    move(kept, own)
    return (_OPTION,)


def forget(state: Path) -> None:
    """The control plane is there: nothing begins from them any more."""
    shutil.rmtree(state / _NAME, ignore_errors=True)


def exchanged() -> list[str]:
    """Names of the restores that have given etcd of this host the objects of a backup, sorted.

    What the cluster tells of itself may be older since then than what this host was brought to.
    """
    # Left beside the store from before, which stays until somebody takes it away.
    return sorted(mark.parent.name for mark in ETCD.glob("before-*/exchanged"))


def move(source: Path, target: Path) -> None:
    """Move a directory, also to another disk. Under either name it is whole at any time."""
    new, gone = target.with_name("member.new"), source.with_name("member.gone")
    shutil.rmtree(new, ignore_errors=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copytree(source, new)
        os.sync()
        new.rename(target)
        source.rename(gone)
        shutil.rmtree(gone)
