"""Reports of the gate, of drift and of plans: all made from examinations, and the same each time."""

from collections.abc import Sequence

from report.examination import Examination
from report.formats.request import FORMATS, ReportRequest, requests

__all__ = ["FORMATS", "ReportRequest", "requests", "write"]


def write(requests: Sequence[ReportRequest], examinations: Sequence[Examination]) -> None:
    """As `report.formats.writing.write`: what makes the formats is loaded when something is to be written."""
    from report.formats import writing

    writing.write(requests, examinations)
