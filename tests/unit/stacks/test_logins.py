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


SITE = (
    (
        "    ssh:\n      privateKeyFile: ~/keys/id\n      knownHostsFile: ~/keys/known_hosts\n",
        "    ssh:\n      user: deploy\n      privateKeyFile: ~/keys/id\n"
        "      knownHostsFile: ~/keys/known_hosts\n"
        "      becomePassword: sudoPassword\n      jump: {address: 203.0.113.119, user: jump}\n",
    ),
    (
        "192.0.2.12, role: worker, profile: small",
        "192.0.2.12, role: worker, profile: small, ssh: {address: 192.168.100.26, port: 11020}",
    ),
    (
        "eu-edge-1: {address: 192.0.2.13}",
        "eu-edge-1: {address: 192.0.2.13, ssh: {address: edge.example.test, direct: true, user: anna}}",
    ),
)
"""ssh by a network of its own, a port of its own, another login, a password for sudo, a jump host."""


def test_a_site_behind_a_jump_host_is_declared_with_each_host_s_own_way(write: Write) -> None:
    text = changed(*SITE).replace(
        "  crossmesh:environment:\n",
        "  crossmesh:sudoPassword:\n    secure: v1:three\n  crossmesh:environment:\n",
    )
    environment = load_stack(write(text), require_secrets=True).environment
    hosts = {name: host for spec in environment.regions.values() for name, host in spec.hosts.items()}
    ways = {name: (host.ssh_address, environment.ssh_of(name)) for name, host in hosts.items()}
    told = {
        name: (address, ssh.port, ssh.user, ssh.jump.address if ssh.jump else None)
        for name, (address, ssh) in ways.items()
        if ssh
    }
    assert told["eu-cp-1"] == ("192.0.2.11", 22, "deploy", "203.0.113.119")
    assert told["eu-worker-1"] == ("192.168.100.26", 11020, "deploy", "203.0.113.119")
    assert told["eu-edge-1"] == ("edge.example.test", 22, "anna", None)
    assert {ssh and ssh.become_password for _, ssh in ways.values()} == {"sudoPassword"}


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "$(x)", "user@host", "[::1]"])
def test_an_address_is_nothing_that_ssh_takes_for_something_else(write: Write, address: str) -> None:
    text = changed(SITE[1]).replace("192.168.100.26", f"'{address}'")
    with pytest.raises(StackFileError, match=r"eu-worker-1\.ssh\.address"):
        load_stack(write(text))


def test_without_a_key_there_is_an_agent_or_it_is_said(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, key = tmp_path / "known_hosts", tmp_path / "apt.asc"
    known.write_text("host key")
    key.write_text("the key")
    text = changed(
        (
            "    ssh:\n      privateKeyFile: ~/keys/id\n      knownHostsFile: ~/keys/known_hosts\n",
            f"    ssh:\n      knownHostsFile: {known}\n",
        )
    ).replace("~/keys/apt.asc", str(key))
    stack = load_stack(write(text))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    check_files(stack)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(StackFileError, match="no privateKeyFile for 'eu-cp-1', and no agent"):
        check_files(stack)


def test_a_public_key_that_stands_for_one_of_the_agent_s_may_be_read_by_all(
    write: Write, tmp_path: Path
) -> None:
    for name in ("known_hosts", "id.pub", "apt.asc"):
        (tmp_path / name).write_text("text")
        (tmp_path / name).chmod(0o644)
    text = changed().replace("~/keys/id", f"{tmp_path}/id.pub").replace("~/keys", str(tmp_path))
    check_files(load_stack(write(text)))
