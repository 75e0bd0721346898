"""The ways to what is live: clusters, hosts, names, and the engine as a process. One of each."""
