"""`crossmesh:kubernetes:ClusterIdentity`."""

from __future__ import annotations

import asyncio
import time

from access.errors import STARTING, Unanswered
from playbooks.provider import sdk
from playbooks.provider.clusters import open_cluster
from playbooks.provider.resources.base import Changes, Context, Operation, Resource
from playbooks.provider.values import UNKNOWN, Properties
from report.errors import OperationsError

# Seconds to wait for an API server: one that was just made, one that is being restarted, one in a preview.
CREATE_TIMEOUT = 180.0
DIFF_TIMEOUT = 60.0
PREVIEW_TIMEOUT = 3.0


class ClusterIdentity(Resource):
    """The UID of `kube-system`, compared with the live one on every run, before anything is written."""

    schema = sdk.ClusterIdentity.schema()

    async def diff(self, context: Context, urn: str, old: Properties, new: Properties) -> Changes:
        updates = [name for name in ("cluster", "kubeconfig") if old.get(name) != new[name]]
        if new["kubeconfig"] is UNKNOWN:
            return Changes(updates=updates)
        await _verify(context, urn, new, old["uid"])
        return Changes(updates=updates)

    async def create(self, context: Context, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {**inputs, "uid": UNKNOWN}
        uid = await _wait_for_uid(context, operation.urn, inputs, operation.timeout or CREATE_TIMEOUT)
        return {**inputs, "uid": uid}

    async def update(
        self, context: Context, operation: Operation, old: Properties, new: Properties
    ) -> Properties:
        """Take over another name or other credentials; the cluster stays the same."""
        if not operation.preview:
            await _verify(context, operation.urn, new, old["uid"])
        return {**new, "uid": old["uid"]}


async def _verify(context: Context, urn: str, inputs: Properties, expected: str) -> None:
    """Compare the live UID with the expected one.

    Raises OperationsError on a mismatch, and in `up` on no answer.
    """
    try:
        timeout = PREVIEW_TIMEOUT if context.preview else DIFF_TIMEOUT
        uid = await _wait_for_uid(context, urn, inputs, timeout)
    except Unanswered as exc:
        if not context.preview:
            raise
        await context.engine.warning(urn, f"not measurable: {exc}")
        return
    if uid != expected:
        msg = (
            f"cluster {inputs['cluster']}: another cluster answers than the one of this stack: kube-system "
            f"has the UID {uid}, expected {expected}; nothing was written to it"
        )
        fix = (
            "give the kubeconfig of the managed cluster; or, when the old one is gone for good, remove it "
            f"from the state: pulumi state delete --target-dependents '{urn}'"
        )
        raise OperationsError(msg, fix=fix)


async def _wait_for_uid(context: Context, urn: str, inputs: Properties, timeout: float) -> str:
    """Return the live UID; say on the way what it waits for. Raises Unanswered after `timeout` seconds."""
    start = time.monotonic()
    while True:
        try:
            return await asyncio.to_thread(_uid, inputs, min(timeout, 5.0))
        except STARTING as exc:
            waited = time.monotonic() - start
            if waited + 1 >= timeout:
                msg = f"cluster {inputs['cluster']}: after {waited:.0f} s of waiting: {exc.message}"
                fix = "check that the control plane runs (on its node: journalctl -u kubelet)"
                raise Unanswered(msg, fix=fix) from None
            await context.engine.status(urn, f"waiting for the API server ({waited:.0f} s): {exc.message}")
        await asyncio.sleep(1)


def _uid(inputs: Properties, timeout: float) -> str:
    with open_cluster(inputs["cluster"], inputs["kubeconfig"], seconds=timeout) as cluster:
        return cluster.uid()
