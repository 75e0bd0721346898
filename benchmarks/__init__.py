"""Measurements that the README's claims rest on."""
