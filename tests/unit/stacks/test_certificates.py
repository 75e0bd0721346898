"""Given certificates are read from files and from secrets; what is not known is refused for `up` alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from stacks.certificates import Secrets, no_secrets, read_certificates, soon_to_end, system_store
from stacks.errors import StackFileError, render_path
from stacks.load import Stack, load_stack
from stacks.named_secrets import STAND_IN, named_secrets
from tests.unit.stacks.conftest import changed
from tests.unit.stacks.pki import HOST, LEAF, LOWER, MIDDLE, NOW, ROOT

Write = Callable[[str], Path]
BALANCING = "    globalLoadBalancer:\n"
DECLARED = f"""\
    certificates:
      site:
        hosts: [{HOST}]
        given:
          certificate: keys/site.pem
          chain: keys/chain.pem
          privateKey: KEY
          ca: keys/ca.pem
"""


def stack_of(write: Write, key: str = "keys/site.key") -> Stack:
    return load_stack(write(changed((BALANCING, DECLARED.replace("KEY", key) + BALANCING))))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The directory of what is given."""
    directory = tmp_path / "keys"
    directory.mkdir()
    (directory / "site.pem").write_text(LEAF.pem)
    (directory / "chain.pem").write_text(LOWER.pem + MIDDLE.pem)
    (directory / "ca.pem").write_text(ROOT.pem)
    (directory / "site.key").write_text(LEAF.key_pem)
    (directory / "site.key").chmod(0o600)
    return directory


def known(text: str) -> Secrets:
    return lambda secret, path: text


def refused(stack: Stack, secrets: Secrets = no_secrets, *, whole: bool = True) -> tuple[str, int, str]:
    """Path, line and whole text of the one problem."""
    with pytest.raises(StackFileError) as caught:
        read_certificates(stack, secrets, whole=whole, now=NOW)
    (problem,) = caught.value.problems
    return render_path(problem.path), problem.line, str(caught.value)


def test_files_are_read_beside_the_stack_file(write: Write, files: Path) -> None:
    given = read_certificates(stack_of(write), whole=True, now=NOW)["site"]
    assert given.chain == LEAF.pem + LOWER.pem + MIDDLE.pem
    assert given.private_key == LEAF.key_pem
    assert LEAF.key_pem not in repr(given)


def test_a_path_may_say_where_it_is(write: Write, files: Path) -> None:
    assert read_certificates(stack_of(write, f"{files}/site.key"), whole=True, now=NOW)["site"].private_key


def test_a_key_is_a_secret_of_the_stack_by_its_name_or_in_its_place(write: Write, files: Path) -> None:
    (files / "site.key").unlink()
    paths = []

    def secrets(secret: object, path: object) -> str:
        paths.append(path)
        return LEAF.key_pem

    for key in ("{secret: siteKey}", "{secure: v1:abc}"):
        found = read_certificates(stack_of(write, key), secrets, whole=True, now=NOW)
        assert found["site"].private_key == LEAF.key_pem
    assert paths == [("certificates", "site", "given", "privateKey")] * 2


def test_a_secret_that_is_named_is_one_of_the_stack_s(write: Write) -> None:
    environment = stack_of(write, "{secret: siteKey}").environment
    assert (
        ("certificates", "site", "given", "privateKey", "secret"),
        "siteKey",
        "the private key of certificate 'site', in PEM",
    ) in list(named_secrets(environment))


@pytest.mark.parametrize("secrets", [no_secrets, known(STAND_IN)])
def test_a_key_that_is_not_known_here_is_missed_by_up_alone(
    write: Write, files: Path, secrets: Secrets
) -> None:
    stack = stack_of(write, "{secret: siteKey}")
    assert read_certificates(stack, secrets, now=NOW)["site"].private_key is None
    path, line, text = refused(stack, secrets)
    assert (path, "privateKey" in text.splitlines()[0]) == ("certificates.site.given.privateKey", True)
    assert stack.path.read_text().splitlines()[line - 1].strip() == "privateKey: {secret: siteKey}"


@pytest.mark.parametrize("name", ["site.pem", "chain.pem", "ca.pem", "site.key"])
def test_a_file_that_is_not_there_is_missed_by_up_alone(write: Write, files: Path, name: str) -> None:
    (files / name).unlink()
    stack = stack_of(write)
    read_certificates(stack, now=NOW)
    assert f"{name}: no such file" in refused(stack)[2]


def test_a_key_that_others_may_read_is_refused(write: Write, files: Path) -> None:
    (files / "site.key").chmod(0o640)
    path, _, text = refused(stack_of(write), whole=False)
    assert path == "certificates.site.given.privateKey"
    assert f"chmod 600 {files}/site.key" in text


def test_a_file_that_is_no_text_is_refused(write: Write, files: Path) -> None:
    (files / "site.pem").write_bytes(b"\x30\x82\xff")
    assert "site.pem: no text" in refused(stack_of(write), whole=False)[2]


def test_what_is_wrong_is_told_with_both_places_and_never_with_the_key(write: Write, files: Path) -> None:
    (files / "site.pem").write_text(f"Certificate of the shop\n{MIDDLE.pem}")
    (files / "site.key").write_text(ROOT.key_pem)
    with pytest.raises(StackFileError) as caught:
        read_certificates(stack_of(write), now=NOW)
    text = str(caught.value)
    assert "keys/site.pem:2: CN=middle is an authority's own" in text
    assert "the key of another certificate than" in text
    assert {render_path(problem.path) for problem in caught.value.problems} > {
        "certificates.site.given.certificate",
        "certificates.site.given.privateKey",
    }
    assert not any(line in text for line in ROOT.key_pem.splitlines()[1:-1])


def test_what_ends_soon_is_told_with_its_line_and_the_way_on(write: Write, files: Path) -> None:
    stack = stack_of(write)
    given = read_certificates(stack, now=NOW)
    assert not list(soon_to_end(stack, given, NOW))
    (words,) = soon_to_end(stack, given, NOW + timedelta(days=63))
    assert "certificate 'site'" in words and "ends in 17 days, on 2026-08-20" in words
    line = int(words.partition("Pulumi.test.yaml:")[2].partition(":")[0])
    assert stack.path.read_text().splitlines()[line - 1].strip() == "site:"
    assert "`pulumi up`" in words


def test_the_system_s_store_is_read() -> None:
    assert all(each.subject for each in system_store())


def test_each_host_has_the_certificate_that_names_it_most_exactly(write: Write) -> None:
    text = DECLARED.replace("KEY", "k") + DECLARED.replace("KEY", "k").replace("site:", "all:").replace(
        f"[{HOST}]", '["*.example.test"]'
    ).replace("    certificates:\n", "")
    environment = load_stack(write(changed((BALANCING, text + BALANCING)))).environment
    hosts = (HOST, "back.example.test", "*.example.test", "a.b.example.test", "example.test")
    found = [environment.certificate_of(host) for host in hosts]
    assert found == ["site", "all", "all", None, None]
