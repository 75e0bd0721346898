"""Pods to look from: one outside the mesh and one inside it in every region, gone when the examination ends.

They are Jobs in a namespace of their own, with a deadline and a time to live, so that the cluster itself
removes them if this process dies before it does.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from access.cluster import Cluster
from access.errors import AccessError, Conflict, Missing
from access.network import WebAnswer
from live.doctor.model import NotMeasurable, Watch
from live.doctor.pods import FIXES, is_ready, says, why

NAMESPACE = "crossmesh-doctor"
PORT = 8080
DEADLINE_SECONDS = 180
TTL_SECONDS = 30
READY_SECONDS = 60
PROBE_SECONDS = 75.0
"""Checks that look from pods wait until those are there."""
ANSWER_SECONDS = 5
"""For one question from a pod."""
_LABEL = "crossmesh-doctor-run"
_PROGRAMS = "Declare a `probeImage` that has sh, timeout, wget and httpd, as busybox has them."
_NOT_FOUND = 127
_TIMED_OUT = (124, 143)
"""What `timeout` ends with: GNU's, and busybox's."""
_CLOSED = "error getting response"
"""So busybox's wget speaks of a connection that was made, and then closed or reset without an answer."""

# The pod outside the mesh is also the one that is called from the other region: it answers with the
# caller's address.
_SERVE = (
    "mkdir -p /tmp/www/cgi-bin && cd /tmp/www/cgi-bin && "
    'printf \'#!/bin/sh\\necho "Content-Type: text/plain"\\necho\\necho "$REMOTE_ADDR"\\n\' > peer && '
    f"chmod +x peer && exec httpd -f -p {PORT} -h /tmp/www"
)
_STAY = f"sleep {DEADLINE_SECONDS}"


@dataclass(frozen=True)
class Answer(WebAnswer):
    """What a pod got to an HTTP question."""

    closed: bool = False
    """Whether the connection was made and then closed: what cannot be reached at all proves nothing."""


@dataclass(frozen=True)
class Probe:
    """A pod that questions can be asked from."""

    cluster: Cluster
    name: str
    address: str
    image: str

    def get(self, url: str) -> Answer:
        """Ask for `url` from the pod.

        Raises `NotMeasurable` if its image lacks a program, `AccessError` if nothing can be run in it.
        """
        # A shell is there, as the pod itself runs one: it says which program is not.
        script = f'exec timeout {ANSWER_SECONDS} wget -S -O - "$0"'
        command = ["sh", "-c", script, url]
        done = self.cluster.execute(NAMESPACE, self.name, "probe", command, timeout=2.5 * ANSWER_SECONDS)
        if done.returncode == 0:
            return Answer(200, done.stdout)
        if done.returncode in _TIMED_OUT:
            return Answer(0, problem=f"no answer within {ANSWER_SECONDS} s")
        words = (done.stderr.strip().splitlines() or [f"wget ended with {done.returncode}"])[-1].strip()
        if done.returncode == _NOT_FOUND:
            raise NotMeasurable(
                f"the image {self.image} of the probe pods lacks a program: {words}", _PROGRAMS
            )
        statuses = re.findall(r"HTTP/1\.\d (\d{3})", done.stderr)
        return Answer(int(statuses[-1]) if statuses else 0, problem=words, closed=_CLOSED in words)


class Probes:
    """The probes of one cluster: made together when the first is asked for, removed by `remove`."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        """`image` has sh, timeout, wget and httpd."""
        self._cluster = cluster
        self._image = image
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._made = False
        self._problem: NotMeasurable | None = None

    def remove(self) -> None:
        """Delete the namespace, unless another examination still uses it. Waits for nothing."""
        if not self._made:
            return
        core, batch = self._cluster.core, self._cluster.batch
        with contextlib.suppress(Missing, Conflict):
            jobs = batch.list_namespaced_job(NAMESPACE).items
            others = [job for job in jobs if (job.metadata.labels or {}).get(_LABEL) != self._run]
            if any(
                not job.metadata.deletion_timestamp and not says(job, "Complete", "Failed") for job in others
            ):
                options = {"label_selector": f"{_LABEL}={self._run}", "propagation_policy": "Background"}
                batch.delete_collection_namespaced_job(NAMESPACE, **options)
            else:
                core.delete_namespace(NAMESPACE)

    def ready(self, role: str, watch: Watch) -> Probe:
        """The pod that is `outside` or `inside` the mesh. Raises `NotMeasurable` if it does not come up."""
        region = self._cluster.region
        with self._lock:
            if not self._made and self._problem is None:
                watch.at(f"probe pods being made in {region}")
                self._make(watch)
        if self._problem is not None:
            raise self._problem
        end = min(watch.deadline, time.monotonic() + READY_SECONDS) - 1
        while True:
            pods = self._cluster.core.list_namespaced_pod(
                NAMESPACE, label_selector=f"{_LABEL}={self._run},role={role}"
            ).items
            if pods and is_ready(pods[0]):
                return Probe(self._cluster, pods[0].metadata.name, pods[0].status.pod_ip, self._image)
            reasons = [reason for pod in pods for reason in why(pod)]
            said = "; ".join(f"{name}: {words}" for name, words in reasons) or "no pod of it was made yet"
            watch.at(f"the probe pod {role} the mesh in {region} ({said})")
            if time.monotonic() > end or any(pod.status.phase == "Failed" for pod in pods):
                image = f"Give the nodes the image {self._image}. {_PROGRAMS}"
                fixes = [FIXES[name] for name, _ in reasons if name in FIXES and "image" not in FIXES[name]]
                raise NotMeasurable(
                    f"the probe pod {role} the mesh in {region} does not become ready: {said}",
                    f"{' '.join(dict.fromkeys(fixes)) or image} See `kubectl -n {NAMESPACE} get events`.",
                )
            time.sleep(0.5)

    def _make(self, watch: Watch) -> None:
        self._made = True
        try:
            self._make_namespace(watch)
            for role in ("outside", "inside"):
                manifest = job(role, self._run, self._image)
                self._cluster.batch.create_namespaced_job(NAMESPACE, manifest)
        except AccessError as error:
            self._problem = NotMeasurable(
                f"probe pods cannot be made in {self._cluster.region}: {error.message}",
                f"The kubeconfig needs the right to create jobs; see also the namespace {NAMESPACE}.",
            )

    def _make_namespace(self, watch: Watch) -> None:
        core = self._cluster.core
        # No label of the mesh: the pods say themselves whether they want a sidecar, whose setup needs
        # NET_ADMIN.
        body = {
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}
        }
        while True:
            with contextlib.suppress(Conflict):
                core.create_namespace(body)
                return
            with contextlib.suppress(Missing):
                if core.read_namespace(NAMESPACE).status.phase == "Active":
                    return
            watch.at(f"the namespace {NAMESPACE} of an earlier examination to be gone")
            if watch.remaining < 2:
                raise NotMeasurable(
                    f"namespace {NAMESPACE} in {self._cluster.region} is still being deleted",
                    "Try again in a minute.",
                )
            time.sleep(0.5)


def job(role: str, run: str, image: str) -> dict[str, Any]:
    """Manifest of the Job of one probe; `role` is `outside` or `inside` (the mesh)."""
    inside = role == "inside"
    labels = {_LABEL: run, "role": role, "sidecar.istio.io/inject": str(inside).lower()}
    container = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # What ended it is then told with the pod: a shell names the program that the image lacks.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "command": ["sh", "-c", _STAY if inside else _SERVE],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    pod = {
        "metadata": {"labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
            "containers": [container],
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{role}-{run}", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": pod,
        },
    }
