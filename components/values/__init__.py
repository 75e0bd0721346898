"""Typed values that several floors read: pure, and of nothing but plain mappings."""
