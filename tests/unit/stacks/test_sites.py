"""What operators of real sites declare, and what it means: registries, proxies, secrets of applications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StackFileError
from stacks.load import load_stack
from stacks.model import Environment, Secret
from stacks.named_secrets import holds_encrypted, named_secrets

Write = Callable[[str], Path]
SITE = """\
config:
  pulumi:disable-default-providers: [kubernetes]
  crossmesh:environment:
    domain: lab.example.org
    addresses: {podPool: 10.244.0.0/16, servicePool: 10.96.0.0/16}
SOURCES    ssh: {user: root, privateKeyFile: ~/.ssh/id_ed25519, knownHostsFile: ~/.ssh/known_hosts}
    regions:
      attic:
        machineNetwork: 192.0.2.0/24
        fabric: {asn: 65001, peers: [{address: 192.0.2.1, asn: 65000}]}
        loadBalancer: {first: 192.0.2.200, last: 192.0.2.219}
        cluster:
          kind: bareMetal
          nodes:
            attic-cp: {address: 192.0.2.11, role: control-plane}
            attic-w1: {address: 192.0.2.12, role: worker}
    mesh: {id: lab, trustDomain: lab.example.org}
    namespaces: {shop: {podSecurity: privileged}}
    applications:
      shop:
        namespace: shop
        image: docker.io/library/nginx:1.27.3
"""
SOURCES = """\
    sources:
      proxy:
        {http: "http://proxy.example.org:3128", https: "http://proxy.example.org:80", except: [.example.org]}
      registries:
        - {name: registry.example.org, mirror: "https://cache.example.org", login: registryLogin}
"""
WEB = """\
        port: 80
        replicas: 2
        livenessPath: /
        readinessPath: /
        resources: {limits: {memory: 2Gi, cpu: "1"}}
        runAsUser: 101
        imagePullSecret: registryLogin
        writable: [/var/cache/nginx]
"""
NESTED = """\
        environment:
          DB_HOST: db.example.org
          DB_PASSWORD: {secure: AAABADl1bm90LWEtc2VjcmV0}
"""


@pytest.fixture
def site(write: Write) -> Callable[..., Environment]:
    """A site with other keys."""

    def site(application: str = "", sources: str = "") -> Environment:
        text = SITE.replace("SOURCES", sources) + application
        return load_stack(write(text), require_ledger=False).environment

    return site


def test_a_site_behind_a_proxy_with_a_registry_that_asks_for_a_login(
    site: Callable[..., Environment],
) -> None:
    environment = site(WEB, SOURCES)
    proxy = environment.sources.proxy
    assert proxy is not None and proxy.beside == (".example.org",)
    assert [(path[-1], name) for path, name, _ in named_secrets(environment)] == [
        ("login", "registryLogin"),
        ("imagePullSecret", "registryLogin"),
    ]
    assert environment.applications["shop"].run_as_user == 101


def test_a_secret_as_the_engine_writes_it_into_a_declaration_is_one(site: Callable[..., Environment]) -> None:
    environment = site(NESTED)
    assert environment.applications["shop"].environment == {
        "DB_HOST": "db.example.org",
        "DB_PASSWORD": Secret(secure="AAABADl1bm90LWEtc2VjcmV0"),
    }
    assert holds_encrypted(environment)
    assert not list(named_secrets(environment))


@pytest.mark.parametrize("value", ["8080", "{name: dbPassword}", "[a]"])
def test_what_is_no_text_and_no_secret_is_one_problem(site: Callable[..., Environment], value: str) -> None:
    with pytest.raises(StackFileError) as caught:
        site(f"        environment: {{PORT: {value}}}\n")
    assert len(caught.value.problems) == 1, str(caught.value)


FUNCTIONS = """\
    ingresses:
      apex: {namespace: shop, host: lab.example.org, paths: [{path: /, application: shop}]}
      www:
        namespace: shop
        host: www.lab.example.org
        redirectHttp: true
        paths: [{path: /, application: shop}]
      languages: {namespace: shop, host: "*.lab.example.org", paths: [{path: /, application: shop}]}
      other-domain: {namespace: shop, host: www.sources.example.net, paths: [{path: /, application: shop}]}
      lan: {namespace: shop, host: nix.sol.milkyway, dns: false, paths: [{path: /api/v1, application: shop}]}
    domains: [sources.example.net]
"""


def test_the_name_of_a_domain_a_wildcard_a_second_domain_and_a_name_of_a_lan(
    site: Callable[..., Environment],
) -> None:
    environment = site(FUNCTIONS)
    assert environment.names == {
        "lab.example.org": ["*.lab.example.org", "lab.example.org", "www.lab.example.org"],
        "sources.example.net": ["www.sources.example.net"],
    }
    assert environment.ingresses["languages"].example == "any.lab.example.org"
    assert environment.ingresses["lan"].example == "nix.sol.milkyway"


def test_a_path_is_no_regular_expression(site: Callable[..., Environment]) -> None:
    with pytest.raises(StackFileError, match="a path prefix that begins with"):
        site(FUNCTIONS.replace("path: /api/v1", 'path: "/api/v1(/|$)(.*)"'))
