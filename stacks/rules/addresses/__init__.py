"""Rules over addresses: ranges, and the slices that the ledger hands out of them."""

from __future__ import annotations

from stacks.rules.addresses import ranges, slices

RULES = (*ranges.RULES, *slices.RULES)
