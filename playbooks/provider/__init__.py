"""The Pulumi provider `crossmesh`: hosts by Ansible, certificates, and checks of clusters.

`sdk` is what programs import. `__main__` serves the provider to the engine. `worker` is the process that one
playbook run lives in. Nothing is imported here, so that each of them loads only what it needs.
"""
