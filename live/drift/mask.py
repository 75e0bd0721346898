"""Secrets that turn up where none is expected: copied by hand into a field that anybody may read."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from live.drift.model import Drifted, Record
from live.state import leaves, mapped
from report.model import SECRET, PropertyChange

_SHORTEST = 6
_SHORTEST_WORD = 24
"""Of a text of several lines, words count that are no ordinary ones: keys, tokens, lines of a PEM."""


class Mask:
    """Replaces what is known to be secret, in all that a layer found."""

    def __init__(self, secrets: Iterable[Any]) -> None:
        """secrets: values of any JSON type."""
        whole = (leaf for value in secrets for leaf in leaves(value) if isinstance(leaf, str))
        texts = {part for text in whole for part in _secret_parts(text)}
        self._texts = sorted(texts, key=lambda text: (-len(text), text))

    def seen(self, seen: Record) -> Record:
        """What a layer found, without any of the secrets."""
        rows = {self(key): (self(before), self(after)) for key, (before, after) in seen.rows.items()}
        findings = [replace(each, message=self(each.message), fix=self(each.fix)) for each in seen.findings]
        drifted = [self._drifted(entry) for entry in seen.drifted]
        return replace(seen, rows=rows, findings=findings, drifted=drifted)

    def __call__(self, value: Any) -> Any:
        """A value with a mark in the place of each secret."""
        return mapped(value, self._masked)

    def _masked(self, leaf: Any) -> Any:
        if isinstance(leaf, str):
            for text in self._texts:
                leaf = leaf.replace(text, SECRET)
        return leaf

    def _drifted(self, drifted: Drifted) -> Drifted:
        properties = tuple(
            PropertyChange(entry.path, self(entry.old), self(entry.new)) for entry in drifted.properties
        )
        live = drifted.live and replace(drifted.live, inputs=self(drifted.live.inputs))
        return replace(drifted, properties=properties, live=live)


def _secret_parts(whole: str) -> Iterator[str]:
    text = whole.strip()
    if len(text) < _SHORTEST:
        return
    for form in {whole, text}:
        yield form
        yield base64.b64encode(form.encode()).decode()
    if "\n" in text:
        for line in text.splitlines():
            word = line.strip().rpartition(" ")[2]
            # Where a server is, is known to all.
            if len(word) >= _SHORTEST_WORD and "://" not in word:
                yield word
