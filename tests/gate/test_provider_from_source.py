"""The Kubernetes provider that is built with a part of its SDK still has its components."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = '''
import pulumi
import pulumi_kubernetes as kubernetes

rendered = kubernetes.Provider("rendered", render_yaml_to_directory="rendered")
objects = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.org/web}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
"""
kubernetes.yaml.v2.ConfigGroup("group", yaml=objects, opts=pulumi.ResourceOptions(provider=rendered))
'''


def test_objects_of_a_group_are_registered_with_the_types_that_the_schema_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: group\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of no secret")
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--stack", "group"]
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init")
    pulumi("up", "--yes", "--skip-preview")
    resources = json.loads(pulumi("stack", "export"))["deployment"]["resources"]
    assert {entry["type"]: entry["id"] for entry in resources if "/v1:" in entry["type"]} == {
        "kubernetes:core/v1:ConfigMap": "default/settings",
        "kubernetes:apps/v1:Deployment": "default/web",
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": "reader",
    }
