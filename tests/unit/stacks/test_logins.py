"""How hosts are reached: as they say themselves, else as their region does, else as the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StackFileError
from stacks.files import check_files, named_files
from stacks.load import load_stack
from tests.unit.stacks.conftest import changed

Write = Callable[[str], Path]
CHANGES = (
    (
        "        machineNetwork: 192.0.2.0/26\n",
        "        machineNetwork: 192.0.2.0/26\n        ssh: {user: site, port: 2222}\n",
    ),
    (
        "192.0.2.12, role: worker, profile: small",
        "192.0.2.12, role: worker, profile: small, ssh: {user: anna, privateKeyFile: ~/keys/anna}",
    ),
)


def test_a_host_is_reached_as_it_says_itself_else_as_its_region_does(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    environment = load_stack(write(changed(*CHANGES))).environment
    logins = {host: environment.ssh_of(host) for host in ("eu-worker-1", "eu-edge-1", "us-cp-1")}
    assert {host: ssh and (ssh.user, ssh.port, ssh.private_key_file) for host, ssh in logins.items()} == {
        "eu-worker-1": ("anna", 2222, "/home/somebody/keys/anna"),
        "eu-edge-1": ("site", 2222, "/home/somebody/keys/id"),
        "us-cp-1": ("root", 22, "/home/somebody/keys/id"),
    }


def test_the_key_of_a_single_host_is_looked_for_as_well(write: Write) -> None:
    stack = load_stack(write(changed(*CHANGES)))
    paths = [path for path, _, _ in named_files(stack)]
    assert ("regions", "eu", "cluster", "nodes", "eu-worker-1", "ssh", "privateKeyFile") in paths
    with pytest.raises(StackFileError, match=r"eu-worker-1\.ssh\.privateKeyFile"):
        check_files(stack)
