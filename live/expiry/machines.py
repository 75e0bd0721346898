"""Certificates on hosts, read over ssh: those of kubeadm, of kubelet and of registries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from access import ssh
from access.ssh import Connection
from live import logins, side_by_side
from live.expiry.model import Entry, of_pem, of_public_key
from live.side_by_side import SECONDS, Ask
from report.errors import OperationsError
from stacks.load import Stack
from stacks.model import Node

RUNBOOK = "renew-certificates"
CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
"""By which kubelet shows the API server who it is."""
SERVED = "/var/lib/kubelet/pki/kubelet.crt"
"""By which kubelet serves where nobody gave it another one: made and signed by itself for 365 days, and never
again while the file is there (kubelet, `InitializeTLS`)."""
PKI = "/etc/kubernetes/pki/"
AUTHORITIES = (f"{PKI}ca.crt", f"{PKI}front-proxy-ca.crt", f"{PKI}etcd/ca.crt")
KUBECONFIGS = tuple(
    f"/etc/kubernetes/{name}.conf" for name in ("admin", "super-admin", "controller-manager", "scheduler")
)
"""Those whose client certificate kubeadm made."""

_SCRIPT = Path(__file__).with_name("host_script.py")
_BY_KUBELET = "kubelet itself, while the API server answers"
_BY_OWNER = "whoever gave it"
_MEMBER = "see that it is a member of its cluster: `pulumi up`"


def look(stack: Stack, regions: Iterable[str], ask: Ask | None = None) -> list[Entry]:
    """What is on the declared nodes of some regions, side by side. Raises nothing for what hosts do.

    ask: gets what a host tells; by ssh where nothing is said.
    """
    nodes = [
        (region, host, node)
        for region in sorted(regions)
        for host, node in sorted(stack.environment.regions[region].nodes.items())
    ]
    return side_by_side.of_hosts(lambda node: _host(stack, ask or asked, *node), nodes)


def asked(host: str, connection: Connection, root: str = "") -> Any:
    """What a host tells. root: the directory of a copy of its files. Raises `AccessError`."""
    order = {"root": root}
    return ssh.ask(host, connection, _SCRIPT.read_bytes(), order, what="its certificates", timeout=SECONDS)


def _host(stack: Stack, ask: Ask, region: str, host: str, node: Node) -> list[Entry]:
    try:
        told = ask(host, logins.login(stack, host, node.ssh_address))
    except OperationsError as error:
        why = error.message.removeprefix(f"{host}: ")
        return [Entry(region, host, "", problem=why, fix=error.fix, seen=False)]
    entries = [entry for file in told["found"] for entry in of_file(region, host, file)]
    return entries or [Entry(region, host, PKI, problem="no certificate is there", fix=_MEMBER)]


def of_file(region: str, host: str, file: Any) -> list[Entry]:
    """What one file of a host holds."""
    runbook = runbook_of(file["path"], region)
    return [replace(entry, runbook=runbook) for entry in _entries(region, host, file)]


def _entries(region: str, host: str, file: Any) -> list[Entry]:
    path, public, renewed = file["path"], file["public"], renewed_by(file["path"], region)
    if file["problem"]:
        return [Entry(region, host, path, renewed_by=renewed, problem=file["problem"])]
    if path.endswith(".pub"):
        return [of_public_key(region, host, path, public, renewed)]
    if path.endswith(".conf") and not public:
        # One that names a file, or has a token.
        return []
    return of_pem(region, host, path, public, renewed, fix=f"see `{path}` on {host}")


def runbook_of(path: str, region: str) -> str:
    """The runbook that renews a file, as arguments; empty for none."""
    kubeadms = path.startswith(PKI) and path not in AUTHORITIES and not path.endswith(".pub")
    renews = kubeadms or path in (*KUBECONFIGS, SERVED, CLIENT)
    return f"{RUNBOOK} region={region}" if renews else ""


def renewed_by(path: str, region: str) -> str:
    """Who renews a file, by the place that kubeadm and kubelet have for it."""
    runbook = f"`crossmesh runbook run {runbook_of(path, region)}`"
    if path == AUTHORITIES[0]:
        return f"`crossmesh runbook run rotate-certificate-authority region={region}`: another one follows it"
    if path in AUTHORITIES:
        return "nobody: a new authority is a rotation of all that rests on it, which is not built yet"
    if path.endswith("/sa.pub"):
        return "nobody: it has no end"
    if path.startswith(PKI) or path in KUBECONFIGS:
        return f"{runbook} (kubeadm certs renew)"
    if path == SERVED:
        return f"{runbook} (kubelet signs it itself, and not again)"
    if path == CLIENT:
        return f"{_BY_KUBELET}; once it has ended, {runbook}"
    if path.startswith("/var/lib/kubelet/pki/"):
        return f"{_BY_KUBELET}, and somebody approves its requests"
    return _BY_OWNER
