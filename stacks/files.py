"""Check the files on this machine that a stack names: keys, and the known host keys.

Apart from `load_stack`, since a declaration is right or wrong wherever it is read, in a pull request's
preview too, while these files exist only where `up` runs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from stacks import audit_policies
from stacks.errors import ENVIRONMENT, KeyPath, StackFileError
from stacks.load import Stack
from stacks.model import BareMetalClusterSpec
from stacks.positions import read


def check_files(stack: Stack) -> None:
    """Raise `StackFileError`, with all problems, unless every file that the stack names is usable."""
    document = read(stack.path)
    for path, name, purpose in named_files(stack):
        private = path[-1] == "privateKeyFile" and not name.endswith(".pub")
        if trouble := _trouble(Path(name), private=private):
            got, fix = trouble
            document.problem((*ENVIRONMENT, *path), f"{name}: {got}", purpose, fix)
        elif path[-1] == "policyFile":
            for complaint in audit_policies.complaints(Path(name)):
                fix = "mend it: with this policy, the API server would not come up"
                document.problem((*ENVIRONMENT, *path), f"{name}: {complaint}", purpose, fix)
    if not os.environ.get("SSH_AUTH_SOCK"):
        for host in _by_agent(stack):
            document.problem(
                (*ENVIRONMENT, "ssh"),
                f"no privateKeyFile for '{host}', and no agent",
                "a host is reached with a private key, or with those of the agent that $SSH_AUTH_SOCK names",
                "name the key, or start an agent: eval $(ssh-agent); ssh-add",
            )
            break
    if document.problems:
        raise StackFileError(stack.path, document.problems)


def named_files(stack: Stack) -> Iterator[tuple[KeyPath, str, str]]:
    """Key path in the environment, file, and what it is for, of each file that the stack names."""
    environment = stack.environment
    for index, source in enumerate(environment.sources.apt):
        path: KeyPath = ("sources", "apt", index, "signedBy")
        yield path, source.signed_by, f"the public key that signs the apt source '{source.name}'"
    if environment.sources.images:
        path = ("sources", "images", "signedBy")
        yield path, environment.sources.images.signed_by, "the public key that signs the image bundles"
    for index, registry in enumerate(environment.sources.registries):
        if registry.ca_file:
            path = ("sources", "registries", index, "caFile")
            yield path, registry.ca_file, f"the authorities that registry '{registry.name}' is checked by"
    for region, spec in environment.regions.items():
        cluster = spec.cluster
        if isinstance(cluster, BareMetalClusterSpec) and cluster.audit.enabled and cluster.audit.policy_file:
            path = ("regions", region, "cluster", "audit", "policyFile")
            yield path, cluster.audit.policy_file, f"the audit policy of the cluster of '{region}'"
    if environment.ssh:
        path = ("ssh", "knownHostsFile")
        yield path, environment.ssh.known_hosts_file, "the host keys that hosts are known by"
    for path, login in environment.logins():
        if login.private_key_file:
            yield (*path, "privateKeyFile"), login.private_key_file, "the key to reach hosts by ssh"
        if login.jump and login.jump.private_key_file:
            key = login.jump.private_key_file
            yield (*path, "jump", "privateKeyFile"), key, "the key to reach the jump host by ssh"


def _by_agent(stack: Stack) -> Iterator[str]:
    """Hosts that are reached with the agent's keys."""
    environment = stack.environment
    for region in environment.regions.values():
        for host in region.hosts:
            if (ssh := environment.ssh_of(host)) and not ssh.private_key_file:
                yield host


def _trouble(file: Path, *, private: bool) -> tuple[str, str] | None:
    """What is wrong with a file, and the fix; None when nothing is."""
    if not file.is_absolute():
        return "a relative path", "write an absolute path, or one that begins with ~"
    if not file.exists():
        lab = "files of a lab are there after `python -m lab start`"
        return "no such file", f"make it, or change the path; {lab}"
    if not file.is_file():
        return "no regular file", "name a file"
    if not os.access(file, os.R_OK):
        return "not readable for this user", f"let its owner run `chmod u+r {file}`, or run as its owner"
    if file.stat().st_size == 0:
        return "an empty file", "write the keys into it"
    if private and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return "readable for others, so that ssh refuses it", f"run `chmod 600 {file}`"
    return None
