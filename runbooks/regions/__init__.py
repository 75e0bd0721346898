"""Regions of a running platform: out of what names lead to, and back."""
