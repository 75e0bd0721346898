"""Certificates of clusters on machines: made anew before they end, or after."""
