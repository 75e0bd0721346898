"""A stack file that is right, and ways to make it wrong in one place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import releases

DIGEST = "0" * 64

GOOD = """\
encryptionsalt: v1:salt
config:
  pulumi:disable-default-providers: [kubernetes]
  crossmesh:meshRootKey:
    secure: v1:one
  crossmesh:cloudKubeconfig:
    secure: v1:two
  crossmesh:environment:
    domain: example.test
    addresses:
      podPool: 172.30.0.0/16
      servicePool: 172.31.0.0/16
    sources:
      apt:
        - name: mirror
          uri: http://192.0.2.2/apt
          suite: bookworm
          signedBy: ~/keys/apt.asc
        - name: extra
          uri: http://192.0.2.2/extra
          suite: bookworm
          signedBy: ~/keys/apt.asc
    ssh:
      privateKeyFile: ~/keys/id
      knownHostsFile: ~/keys/known_hosts
    hostProfiles:
      small:
        kubelet: {maxPods: 50}
    regions:
      eu:
        machineNetwork: 192.0.2.0/26
        fabric: {asn: 64512, peers: [{address: 192.0.2.1, asn: 64510}]}
        loadBalancer: {first: 192.0.2.40, last: 192.0.2.49}
        cluster:
          kind: bareMetal
          nodes:
            eu-cp-1: {address: 192.0.2.11, role: control-plane}
            eu-worker-1: {address: 192.0.2.12, role: worker, profile: small}
        edges:
          eu-edge-1: {address: 192.0.2.13}
      us:
        machineNetwork: 192.0.2.64/26
        fabric:
          asn: 64513
          peers:
            - {address: 192.0.2.65, asn: 64510}
        loadBalancer: {first: 192.0.2.100, last: 192.0.2.109}
        cluster:
          kind: bareMetal
          nodes:
            us-cp-1: {address: 192.0.2.71, role: control-plane}
            us-worker-1: {address: 192.0.2.72, role: worker}
      cloud:
        machineNetwork: 10.20.0.0/16
        cluster:
          kind: adopted
          kubeconfigSecret: cloudKubeconfig
          podCidr: 10.20.128.0/17
          serviceCidr: 10.21.0.0/20
    mesh:
      id: example
      trustDomain: example.test
    namespaces:
      shop: {podSecurity: privileged}
      back: {injection: false}
    applications:
      front:
        namespace: shop
        image: registry.example.test:5000/front:1.0
      stock:
        namespace: back
        image: registry.example.test/stock@sha256:{DIGEST}
        environment: {LOG_LEVEL: info}
    ingresses:
      shop:
        namespace: shop
        host: shop.example.test
        paths:
          - {path: /, application: front}
          - {path: /cart, application: front}
      back:
        namespace: back
        host: back.example.test
        paths:
          - {path: /, application: stock}
    globalLoadBalancer:
      healthCheck: {interval: 3, timeout: 2}
  crossmesh:ledger:
    clusters:
      eu: {pods: 172.30.0.0/20, services: 172.31.0.0/20}
      us: {pods: 172.30.16.0/20, services: 172.31.16.0/20}
    nodes:
      eu: {eu-cp-1: 172.30.0.0/24, eu-worker-1: 172.30.1.0/24}
      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}
"""

GOOD = GOOD.replace("{DIGEST}", DIGEST)


def changed(*changes: tuple[str, str]) -> str:
    """The good file with each text, which must be in it once, replaced."""
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the good file"
        text = text.replace(old, new)
    return text


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a stack file named `test` and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "Pulumi.test.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Add a release to the catalogue: a program's default one, by another version."""
    root = tmp_path / "releases"
    shutil.copytree(releases.ROOT, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))

    def add(program: str, version: str) -> None:
        default = releases.default(program)
        text = (root / program / f"{default}.toml").read_text(encoding="utf-8")
        (root / program / f"{version}.toml").write_text(text.replace(default, version), encoding="utf-8")
        for file in (root / program).glob(f"*-{releases.minor(default)}.json"):
            there = file.with_name(file.name.replace(releases.minor(default), releases.minor(version)))
            there.write_bytes(file.read_bytes())
        monkeypatch.setattr(releases, "ROOT", root)

    return add
