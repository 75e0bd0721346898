"""Every page that is made from code, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs import architecture, catalogue, command_line, downloads, hardening, outputs, runbook_pages
from gate.rules import reference as rules
from playbooks import roles_reference as roles
from report import exit_codes
from report.formats import document
from stacks import guarantees, reference, schema, wishes

_DOCS = Path(__file__).parent

PAGES: Mapping[Path, Callable[[], str]] = {
    reference.FILE: reference.render,
    schema.FILE: schema.render,
    wishes.FILE: wishes.render,
    rules.FILE: rules.render,
    exit_codes.FILE: exit_codes.reference,
    document.FILE: document.reference,
    roles.FILE: roles.render,
    _DOCS / "guides" / "guarantees-of-names.md": guarantees.render,
    _DOCS / "releases.md": catalogue.render,
    _DOCS / "reference" / "downloads.md": downloads.render,
    _DOCS / "reference" / "command-line.md": command_line.render,
    _DOCS / "reference" / "hardening.md": hardening.render,
    _DOCS / "reference" / "outputs.md": outputs.render,
    _DOCS / "images" / "architecture.svg": architecture.render,
    **runbook_pages.pages(),
}
"""The text of each file, by its path."""
