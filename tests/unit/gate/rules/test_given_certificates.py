"""A given certificate that ends soon is told of before its end."""

from __future__ import annotations

from datetime import date

from gate.rules.change import given_certificates
from report.model import UNKNOWN, Severity, Status
from tests.unit.gate.rules.given import certificate
from tests.unit.gate.rules.support import against, changes


def test_one_that_lasts_for_long_is_nobody_s_concern() -> None:
    assert against(given_certificates.CHECK, changes(same=[certificate()])) == []


def test_one_that_ends_within_a_month_is_a_warning_with_the_way_on() -> None:
    day = date(2027, 5, 12)
    (found,) = against(given_certificates.CHECK, changes(same=[certificate()]), today=day)
    assert (found.severity, found.status) == (Severity.WARNING, Status.FAIL)
    assert found.message == "certificate 'site' ends in 20 days, on 2027-06-01"
    assert "`certificates.site`" in found.fix
    assert found.declared == ("certificates", "site")


def test_one_that_is_not_known_here_is_not_measurable() -> None:
    for end in (UNKNOWN, None):
        (found,) = against(given_certificates.CHECK, changes(same=[certificate(not_after=end)]))
        assert found.status is Status.NOT_MEASURABLE
