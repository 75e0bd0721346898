"""Reports of the gate, of drift and of plans: all made from examinations, and the same each time."""

from report.formats.markdown import marker
from report.formats.request import FORMATS, ReportRequest, requests
from report.formats.writing import write

__all__ = ["FORMATS", "ReportRequest", "marker", "requests", "write"]
