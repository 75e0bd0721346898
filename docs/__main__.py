"""`make docs`: write every page that is made from code."""

from __future__ import annotations

from docs.generated import PAGES

for path, text in PAGES.items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")
