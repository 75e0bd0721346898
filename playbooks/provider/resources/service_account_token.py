"""`crossmesh:kubernetes:ServiceAccountToken`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from access import kubeconfig as kubeconfigs
from playbooks.provider import sdk
from playbooks.provider.clusters import open_cluster
from playbooks.provider.resources.base import Changes, Checked, Context, Operation, Resource, differing
from playbooks.provider.values import UNKNOWN, Properties
from stacks import digests

_INPUTS = ("namespace", "service_account", "expiration_seconds", "renew_before_seconds")


class ServiceAccountToken(Resource):
    """A token by the TokenRequest API. It cannot be revoked, so deleting it waits for its end."""

    schema = sdk.ServiceAccountToken.schema()

    async def check(
        self, context: Context, urn: str, old: Properties, new: Properties, seed: bytes
    ) -> Checked:
        validity, renewal = new.get("expiration_seconds"), new.get("renew_before_seconds")
        if isinstance(validity, int) and isinstance(renewal, int) and renewal >= validity:
            return Checked(
                failures=[("renew_before_seconds", f"must be less than expiration_seconds ({validity})")]
            )
        return Checked()

    async def diff(self, context: Context, urn: str, old: Properties, new: Properties) -> Changes:
        updates = differing(_INPUTS[:3], old, new)
        if new["kubeconfig"] is UNKNOWN or _cluster(new["kubeconfig"]) != old["cluster"]:
            updates.append("kubeconfig")
        renewal = timedelta(seconds=new["renew_before_seconds"])
        if datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC) <= renewal:
            updates.append("expires_at")
        return Changes(updates=updates)

    async def create(self, context: Context, operation: Operation, inputs: Properties) -> Properties:
        kept = {name: inputs[name] for name in _INPUTS}
        if operation.preview:
            return {**kept, **dict.fromkeys(("token", "expires_at", "cluster"), UNKNOWN)}
        await context.engine.status(operation.urn, "requesting a token")
        status = await asyncio.to_thread(_request, inputs)
        cluster = _cluster(inputs["kubeconfig"])
        return {
            **kept,
            "token": status["token"],
            "expires_at": status["expirationTimestamp"],
            "cluster": cluster,
        }

    async def update(
        self, context: Context, operation: Operation, old: Properties, new: Properties
    ) -> Properties:
        return await self.create(context, operation, new)


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
    with open_cluster("", inputs["kubeconfig"], seconds=15) as cluster:
        status: dict[str, str] = cluster.post(path, body)["status"]
        return status
