"""Address and port at which the API of a cluster is reached, and how a host that is a member is led to
another one.

The API server goes on to be served at the one before: whoever knows that alone is answered, in whatever order
members are led, and wherever that breaks off.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Collection, Mapping

from ansible_collections.crossmesh.nodes.plugins.module_utils import kubelet, objects, trust
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, wait_until_well, write
from ansible_collections.crossmesh.nodes.plugins.module_utils.kubelet import KubeletError
from ansible_collections.crossmesh.nodes.plugins.module_utils.objects import ObjectsError

SECONDS = 120.0
"""For the address to be taken, and for the API server to show a certificate that is for it: it looks for one
at least once a minute (k8s.io/apiserver, `FileRefreshDuration`)."""
_POLL, _SETTLE, _ANSWER = 1.0, 2.0, 5.0
_SERVER = re.compile(r"^(\s*server: *)(\S+) *$", re.MULTILINE)
_ADMINISTRATORS = ("admin", "super-admin")
"""Of a control plane's kubeconfigs, those by which the cluster is reached. Controllers and scheduler ask the
API server beside them, whatever the endpoint (kubeadm, `kubeconfig.go`)."""


class EndpointError(Exception):
    """A host is not led to another endpoint; says why, and how to mend it."""


def address_of(endpoint: str) -> str:
    """The address of an endpoint, or of a URL that has one."""
    return endpoint.removeprefix("https://").rpartition(":")[0].strip("[]")


def url(endpoint: str) -> str:
    """The URL of an endpoint, as kubeconfigs have it."""
    return f"https://{endpoint}"


def server_in(kubeconfig: str) -> str:
    """The URL that a kubeconfig leads to; empty where it says none."""
    found = _SERVER.search(kubeconfig)
    return found[2] if found else ""


def leading(kubeconfig: str, endpoint: str) -> str:
    """A kubeconfig that leads to an endpoint, and is the same else."""
    changed: str = _SERVER.sub(lambda found: f"{found[1]}{url(endpoint)}", kubeconfig)
    return changed


def moves(recorded: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a member is to be led to another endpoint than it was brought to."""
    before, after = recorded.get("endpoint"), wanted.get("endpoint")
    return bool(before and after) and before != after


def is_served_on(recorded: Mapping[str, str], served: Collection[str]) -> bool:
    """Whether the endpoint that a member was brought to is one of those that go on to be served."""
    return address_of(recorded.get("endpoint", "")) in served


def answer(endpoint: str) -> str:
    """Why the cluster of this host does not answer at an endpoint; empty where it does.

    Who answers is known by the cluster's authority, and shows a certificate for the address.
    """
    connection: http.client.HTTPSConnection | None = None
    try:
        context = ssl.create_default_context(cafile=str(trust.pki("ca.crt")))
        address, _, port = endpoint.rpartition(":")
        connection = http.client.HTTPSConnection(
            address.strip("[]"), int(port), timeout=_ANSWER, context=context
        )
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        if connection:
            connection.close()
    return "" if status == http.HTTPStatus.OK else f"/readyz answers {status}"


def see(endpoint: str) -> None:
    """Return once the cluster of this host answers at an endpoint. Raises EndpointError."""

    def complaints() -> list[str]:
        why = answer(endpoint)
        return [why] if why else []

    if words := wait_until_well(complaints, timeout=SECONDS, settle=_SETTLE, poll=_POLL):
        raise EndpointError(
            f"after {SECONDS:.0f} s, this cluster does not answer at {url(endpoint)}: {'; '.join(words)}. "
            "Nothing is led there, and it is reached as before. Who holds the address says `journalctl -u "
            "crossmesh-api-address` on the control plane; run again when it answers"
        )


def lead_control_plane(node: str, before: str, endpoint: str, own: str) -> None:
    """Have all of a control plane's host reach the API at an endpoint that answers, but for what asks the API
    server beside it.

    before: the endpoint that it was brought to. own: address of this host's API server. Raises EndpointError.
    """
    for name in _ADMINISTRATORS:
        # The second one is on the host alone that made the cluster.
        path = trust.kubeconfig(name)
        text = trust.text_of(path)
        if text and server_in(text) != url(endpoint):
            write(path, leading(text, endpoint), 0o600)
    if address_of(server_in(trust.text_of(trust.kubeconfig("kubelet")))) != own:
        follow(node, before, endpoint)


def announce(endpoint: str) -> None:
    """Have those that join learn of an endpoint (`kube-public/cluster-info`). Raises EndpointError."""
    try:
        text = objects.config_map("kube-public", "cluster-info")["kubeconfig"]
        if server_in(text) != url(endpoint):
            objects.patch("kube-public", "cluster-info", {"kubeconfig": leading(text, endpoint)})
    except ObjectsError as error:
        raise EndpointError(str(error)) from None


def follow(node: str, before: str, endpoint: str) -> None:
    """Have kubelet reach the API at an endpoint, and start it anew for that; pods go on.

    Where it is not heard of then, it is led to `before` again. Raises EndpointError.
    """
    see(endpoint)
    _lead_kubelet(endpoint)
    try:
        kubelet.restart(node)
    except KubeletError as error:
        _lead_kubelet(before)
        run("systemctl", "restart", "kubelet.service")
        raise EndpointError(
            f"kubelet reaches nobody at {url(endpoint)}, and was led to {url(before)} again: {error}"
        ) from None


def _lead_kubelet(endpoint: str) -> None:
    path = trust.kubeconfig("kubelet")
    text = trust.text_of(path)
    if not server_in(text):
        raise EndpointError(f"{path} names no API server")
    if server_in(text) != url(endpoint):
        write(path, leading(text, endpoint), 0o600)
