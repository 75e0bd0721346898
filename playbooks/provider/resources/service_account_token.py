"""`crossmesh:kubernetes:ServiceAccountToken`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from access import kubeconfig as kubeconfigs
from access.cluster import Cluster
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Checked, Operation, Resource, differing
from playbooks.provider.values import UNKNOWN, Properties
from stacks import digests

_INPUTS = ("namespace", "service_account", "expiration_seconds", "renew_before_seconds")


class ServiceAccountToken(Resource):
    """A token by the TokenRequest API. It cannot be revoked, so deleting it waits for its end."""

    schema = sdk.ServiceAccountToken.schema()

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        validity, renewal = new.get("expiration_seconds"), new.get("renew_before_seconds")
        if isinstance(validity, int) and isinstance(renewal, int) and renewal >= validity:
            must = f"must be less than expiration_seconds ({validity})"
            return Checked(failures=[("renew_before_seconds", must)])
        return Checked()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        updates = differing(_INPUTS[:3], old, new)
        if new["kubeconfig"] is UNKNOWN or _cluster(new["kubeconfig"]) != old["cluster"]:
            updates.append("kubeconfig")
        renewal = timedelta(seconds=new["renew_before_seconds"])
        if datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC) <= renewal:
            updates.append("expires_at")
        return Changes(updates=updates)

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        kept = {name: inputs[name] for name in _INPUTS}
        if operation.preview:
            return {**kept, **dict.fromkeys(("token", "expires_at", "cluster"), UNKNOWN)}
        await operation.status("requesting a token")
        status = await asyncio.to_thread(_request, inputs)
        issued = {"token": status["token"], "expires_at": status["expirationTimestamp"]}
        return {**kept, **issued, "cluster": _cluster(inputs["kubeconfig"])}


def _cluster(kubeconfig: str) -> str:
    current = kubeconfigs.read(kubeconfig)
    return digests.of_value([current.server, current.authority])


def _request(inputs: Properties) -> dict[str, str]:
    path = f"/api/v1/namespaces/{inputs['namespace']}/serviceaccounts/{inputs['service_account']}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": inputs["expiration_seconds"]},
    }
    with Cluster("", inputs["kubeconfig"], seconds=15) as cluster:
        status: dict[str, str] = cluster.post(path, body)["status"]
        return status
