"""The module api_address: where the address of an API belongs, and whether somebody has it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def module(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    found = ansible_module("api_address")
    monkeypatch.setattr(found, "STATE", tmp_path)
    monkeypatch.setattr(found, "_SILENT_SECONDS", 0.2)
    return found


def test_the_number_of_a_group_is_the_last_byte_of_its_address(module: ModuleType) -> None:
    assert module.identifier("10.101.1.100") == 100
    assert module.identifier("10.101.0.0") == 255


def test_interfaces_are_known_by_the_addresses_that_they_have(module: ModuleType) -> None:
    assert module.interfaces()["127.0.0.1"] == "lo"


def test_who_listens_and_who_refuses_both_have_an_address(module: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert module.somebody_has("127.0.0.1", port)
    assert module.somebody_has("127.0.0.1", port)


def test_nobody_has_an_address_at_which_all_is_silent(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> socket.socket:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(module.socket, "create_connection", silent)
    assert not module.somebody_has("192.0.2.100", 6443)


def test_a_cluster_is_not_made_where_its_address_is_somebody_s(module: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert module.claimed("127.0.0.1", port, here={})


def finished(directory: Path, endpoint: str) -> None:
    mark = {"identity": {"node": "eu-cp-1", "endpoint": endpoint}}
    (directory / "init.finished").write_text(json.dumps(mark))


def test_one_that_was_interrupted_and_a_member_of_the_cluster_there_go_on(
    module: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "init.begun").touch()
    assert not module.claimed("127.0.0.1", 1, here={})
    (tmp_path / "init.begun").unlink()
    finished(tmp_path, "127.0.0.1:1")
    assert not module.claimed("127.0.0.1", 1, here={})


@pytest.mark.parametrize(("why", "refused"), [("", False), ("certificate verify failed", True)])
def test_a_member_whose_cluster_moves_there_finds_its_own_cluster_or_nobody(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str, refused: bool
) -> None:
    """Of several control planes, the first one holds the address when the second one's turn comes."""
    finished(tmp_path, "192.0.2.21:6443")
    monkeypatch.setattr(module.endpoint, "answer", lambda endpoint: why)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert module.claimed("127.0.0.1", port, here={}) is refused
        assert not module.claimed("127.0.0.1", port, here={"127.0.0.1": "lo"})
    monkeypatch.setattr(module, "somebody_has", lambda *_: False)
    assert not module.claimed("192.0.2.100", 6443, here={})


class Refused(Exception):
    """What the module ends with."""


class Refusing:
    def fail_json(self, msg: str) -> None:
        raise Refused(msg)


def test_a_refusal_says_what_was_to_happen_there(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was about to make the cluster"):
        module.refuse(Refusing(), "192.0.2.100")
    finished(tmp_path, "192.0.2.21:6443")
    with pytest.raises(Refused, match=r"that is reached at 192\.0\.2\.21:6443: choose a free address"):
        module.refuse(Refusing(), "192.0.2.100")
