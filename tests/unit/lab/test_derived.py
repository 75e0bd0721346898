"""Stack files of other labs, derived from the reference lab's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stacks.load import load_stack, stack_path
from stacks.write import remove_secrets
from tests.lab.derived import derive, lab_octet


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = Path(shutil.copy(stack_path("lab"), tmp_path / "Pulumi.lab.yaml"))
    remove_secrets(path)
    return path


def test_a_derived_stack_has_the_other_labs_addresses_and_files_and_is_right(reference: Path) -> None:
    path = derive(reference, "one", "test-one")
    assert path == reference.parent / "Pulumi.test-one.yaml"
    stack, octet = load_stack(path), lab_octet("one")
    assert stack.name == "test-one"
    assert octet != lab_octet("lab") == 101
    hosts = [str(node.address) for spec in stack.environment.regions.values() for node in spec.edges.values()]
    assert hosts == [f"10.{octet}.1.13", f"10.{octet}.2.13"]
    assert stack.environment.ssh is not None
    assert stack.environment.ssh.private_key_file.endswith("/labs/one/ssh/id_ed25519")
    assert "10.101." not in path.read_text()
    assert "labs/lab/" not in path.read_text()
    assert stack.ledger == load_stack(reference).ledger


def test_a_derived_stack_has_no_secrets_of_the_one_it_comes_from(reference: Path) -> None:
    text = (
        "encryptionsalt: v1:salt\n" + reference.read_text() + "  crossmesh:meshRootKey:\n    secure: v1:one\n"
    )
    reference.write_text(text)
    path = derive(reference, "one", "test-one")
    assert load_stack(path).secrets == frozenset()
    assert "v1:" not in path.read_text()


def test_deriving_again_replaces_the_file(reference: Path) -> None:
    first = derive(reference, "one", "test-one").read_text()
    assert derive(reference, "one", "test-one").read_text() == first


@pytest.mark.parametrize(
    ("lab", "out"), [("One", "test"), ("one", "te/st"), ("one", ""), ("one\n", "test"), ("one", "lab")]
)
def test_names_that_would_do_harm_are_refused(lab: str, out: str, reference: Path) -> None:
    before = reference.read_text()
    with pytest.raises(ValueError, match=r"not a DNS label|over itself"):
        derive(reference, lab, out)
    assert reference.read_text() == before


def test_a_stack_of_no_lab_is_refused() -> None:
    with pytest.raises(ValueError, match="names neither addresses nor files of the lab"):
        derive(stack_path("staging"), "one", "test-one")
