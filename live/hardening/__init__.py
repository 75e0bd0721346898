"""Every point of the CIS Kubernetes Benchmark, and of hosts' own settings, with what is there.

A small reader on each host, and a few lists of each cluster's API, give facts. Each point judges facts alone.
"""
