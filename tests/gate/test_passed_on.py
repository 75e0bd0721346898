"""What is passed on to kube-proxy is refused where the release's own program refuses it, and only there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import releases
import toolchain
from stacks.rules.configurations import faults

CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"mode": "nftables"},
    {"mode": "ebpf"},
    {"mode": 5},
    {"mod": "nftables"},
    {"conntrack": {"maxPerCore": 0, "min": 0}},
    {"conntrack": {"min": -1}},
    {"conntrack": {"min": "0"}},
    {"conntrack": {"tcpEstablishedTimeout": "24h0m0s"}},
    {"conntrack": {"tcpEstablishedTimeout": "a day"}},
    {"nodePortAddresses": ["primary"]},
    {"nodePortAddresses": "primary"},
    {"oomScoreAdj": -1001},
    {"oomScoreAdj": -999},
    {"featureGates": {"NoSuchGate": True}},
    {"iptables": {"masqueradeAll": "yes"}},
]


@pytest.mark.parametrize("fields", CONFIGURATIONS, ids=str)
def test_rules_and_program_agree(fields: dict[str, Any], tmp_path: Path) -> None:
    given, written = tmp_path / "given.yaml", tmp_path / "written.yaml"
    header = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
    given.write_text(yaml.safe_dump({**header, **fields}))
    command = [str(toolchain.program("kube-proxy")), f"--config={given}", f"--write-config-to={written}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    # Of an unknown field it only warns, and reads the rest.
    refused = ran.returncode != 0 or "unknown field" in ran.stderr
    known = releases.configurations(toolchain.version("kubernetes"))
    found = list(faults(fields, known["kubeProxy"], known["$defs"]))
    assert bool(found) == refused, ran.stderr
