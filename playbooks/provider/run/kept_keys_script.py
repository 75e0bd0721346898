# ruff: noqa: SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""What a control plane that kubeadm has made keeps of its cluster's keys, told by its host's own python3 (3.6
or later, standard library alone).

Sent over ssh; what it tells are secrets, which go through that connection alone.
"""

import json
import sys
from pathlib import Path

STATE = "/var/lib/crossmesh"
PKI = "/etc/kubernetes/pki"


def main():
    order = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    sys.stdout.write(json.dumps(answer(order)) + "\n")


def answer(order):
    """Whether the host carries a cluster, and these files below kubeadm's directory, as far as they are
    there. root: empty for the host's own."""
    state, pki = Path(order["root"] + STATE), Path(order["root"] + PKI)
    # Workers have joined as well, and have none of it.
    joined = (state / "join.finished").exists() and (pki / "apiserver-kubelet-client.key").exists()
    if not joined and not (state / "init.finished").exists():
        return {"carries": False, "files": {}}
    there = [name for name in order["files"] if (pki / name).is_file()]
    return {"carries": True, "files": {name: (pki / name).read_text() for name in there}}


if __name__ == "__main__":
    main()
