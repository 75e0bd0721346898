"""`crossmesh:kubernetes:ClusterIdentity`."""

from __future__ import annotations

import asyncio
import time

from access import kubeconfig as kubeconfigs
from access.cluster import Cluster
from access.errors import STARTING, Unanswered
from playbooks.provider import sdk
from playbooks.provider.resources.base import Changes, Operation, Resource
from playbooks.provider.values import UNKNOWN, Properties
from report.errors import OperationsError

# Seconds to wait for an API server: one that was just made, one that is being restarted, one in a preview.
CREATE_TIMEOUT = 180.0
DIFF_TIMEOUT = 60.0
PREVIEW_TIMEOUT = 3.0


class ClusterIdentity(Resource):
    """The UID of `kube-system`, compared with the live one on every run, before anything is written."""

    schema = sdk.ClusterIdentity.schema()

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        if new["kubeconfig"] is not UNKNOWN:
            moves = operation.context.preview and await _is_to_come(operation, old, new)
            await _verify(operation, old if moves else new, old["uid"])
        return Changes(updates=[name for name in ("cluster", "kubeconfig") if old.get(name) != new[name]])

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        if operation.preview:
            return {**inputs, "uid": UNKNOWN}
        return {**inputs, "uid": await _wait_for_uid(operation, inputs, operation.timeout or CREATE_TIMEOUT)}

    async def update(self, operation: Operation, old: Properties, new: Properties) -> Properties:
        """Take over another name or other credentials; the cluster stays the same."""
        if not operation.preview:
            await _verify(operation, new, old["uid"])
        return {**new, "uid": old["uid"]}


async def _is_to_come(operation: Operation, old: Properties, new: Properties) -> bool:
    """Whether the cluster is to be reached at another address, and is not there yet."""
    if UNKNOWN in (old.get("kubeconfig"), new["kubeconfig"]) or not old.get("kubeconfig"):
        return False
    before, after = (kubeconfigs.read(each["kubeconfig"]).server for each in (old, new))
    if before == after:
        return False
    try:
        await _wait_for_uid(operation, new, PREVIEW_TIMEOUT)
    except Unanswered:
        return True
    return False


async def _verify(operation: Operation, inputs: Properties, expected: str) -> None:
    """Raise OperationsError where the live UID is another one, and in `up` where there is no answer."""
    in_preview = operation.context.preview
    try:
        uid = await _wait_for_uid(operation, inputs, PREVIEW_TIMEOUT if in_preview else DIFF_TIMEOUT)
    except Unanswered as exc:
        if not in_preview:
            raise
        await operation.warning(f"not measurable: {exc}")
        return
    if uid != expected:
        msg = (
            f"cluster {inputs['cluster']}: another cluster answers than the one of this stack: kube-system "
            f"has the UID {uid}, expected {expected}; nothing was written to it"
        )
        fix = (
            "give the kubeconfig of the managed cluster; or, when the old one is gone for good, remove it "
            f"from the state: pulumi state delete --target-dependents '{operation.urn}'"
        )
        raise OperationsError(msg, fix=fix)


async def _wait_for_uid(operation: Operation, inputs: Properties, timeout: float) -> str:
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
            await operation.status(f"waiting for the API server ({waited:.0f} s): {exc.message}")
        await asyncio.sleep(1)


def _uid(inputs: Properties, timeout: float) -> str:
    with Cluster(inputs["cluster"], inputs["kubeconfig"], seconds=timeout) as cluster:
        return cluster.uid()
