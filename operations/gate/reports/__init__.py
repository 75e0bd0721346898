"""Reports of the gate, of drift and of plans: all made from examinations, and the same each time."""

from operations.gate.reports.markdown import marker
from operations.gate.reports.request import FORMATS, Request, requests
from operations.gate.reports.writing import write

__all__ = ["FORMATS", "Request", "marker", "requests", "write"]
