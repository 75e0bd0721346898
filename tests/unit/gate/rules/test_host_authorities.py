"""Clients and name servers trust what is shown at each moment of a change, or are told that they do not."""

from __future__ import annotations

import pytest

from gate.rules.change import host_authorities
from report.model import UNKNOWN, Severity
from stacks.given import SYSTEM
from tests.unit.gate.rules.given import certificate, exposed
from tests.unit.gate.rules.support import against, changes, creation, update

ONE, TWO, BOTH = ["CN=one"], ["CN=two"], ["CN=one", "CN=two"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("CN=one", ONE), ("CN=one", ONE)),
        (("CN=one", ONE), ("CN=one", BOTH)),
        (("CN=one", BOTH), ("CN=two", BOTH)),
        (("CN=two", BOTH), ("CN=two", TWO)),
        ((SYSTEM, [SYSTEM]), (SYSTEM, [SYSTEM])),
        ((UNKNOWN, UNKNOWN), ("CN=two", TWO)),
    ],
)
def test_each_stage_is_allowed(before: tuple[str, list[str]], after: tuple[str, list[str]]) -> None:
    old, new = (certificate(anchor=anchor, authorities=known) for anchor, known in (before, after))
    assert against(host_authorities.CHECK, changes(update(old, new))) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            ("CN=one", ONE),
            ("CN=two", TWO),
            "the new one is not trusted by who has the authorities from before",
        ),
        (("CN=one", ONE), ("CN=two", BOTH), "the new one is not trusted"),
        (("CN=one", BOTH), ("CN=two", TWO), "the one from before is not trusted by who has the new"),
    ],
)
def test_a_step_at_once_is_stopped(
    before: tuple[str, list[str]], after: tuple[str, list[str]], words: str
) -> None:
    old, new = (certificate(anchor=anchor, authorities=known) for anchor, known in (before, after))
    (found,) = against(host_authorities.CHECK, changes(update(old, new)))
    assert found.severity is Severity.ERROR
    assert words in found.message
    assert found.fix.startswith("put both into the file of `certificates.site.given.ca`")


def test_to_and_from_the_system_s_store_there_is_no_stage_between() -> None:
    own, system = certificate(), certificate(anchor=SYSTEM, authorities=[SYSTEM])
    for old, new in ((own, system), (system, own)):
        (found,) = against(host_authorities.CHECK, changes(update(old, new)))
        assert found.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, "site", "from the gateways' own authority to certificate 'site'"),
        ("site", None, "from certificate 'site' to the gateways' own authority"),
        ("site", "more", "from certificate 'site' to certificate 'more'"),
    ],
)
def test_a_host_that_comes_to_another_certificate_is_told_of(
    before: str | None, after: str | None, words: str
) -> None:
    host = "shop.example.test"
    (found,) = against(host_authorities.CHECK, changes(update(exposed(host, before), exposed(host, after))))
    assert found.severity is Severity.WARNING
    assert f"{host} comes {words}" in found.message


def test_what_is_new_is_trusted_by_nobody_yet() -> None:
    new = [creation(certificate()), creation(exposed("shop.example.test", "site"))]
    assert against(host_authorities.CHECK, changes(*new)) == []
