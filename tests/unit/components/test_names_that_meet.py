"""Regions of one city and teams of one shop, named as people name them: every resource is told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from components.platform import Platform
from stacks.ledger import Ledger, assign
from stacks.model import Environment
from tests.unit.components import support

DECLARATION = """
domain: prod.example.org
addresses: {podPool: 10.128.0.0/14, servicePool: 10.144.0.0/16}
ssh: {privateKeyFile: /keys/id, knownHostsFile: /keys/known_hosts}
regions:
  eu:
    machineNetwork: 192.0.2.0/24
    fabric: {asn: 65001, peers: [{address: 192.0.2.1, asn: 65000}]}
    loadBalancer: {first: 192.0.2.200, last: 192.0.2.219}
    cluster:
      kind: bareMetal
      nodes:
        eu-cp: {address: 192.0.2.11, role: control-plane}
        eu-west-w1: {address: 192.0.2.12, role: worker}
    edges: {ns1: {address: 192.0.2.5}}
  eu-west:
    machineNetwork: 198.51.100.0/24
    fabric: {asn: 65002, peers: [{address: 198.51.100.1, asn: 65000}]}
    loadBalancer: {first: 198.51.100.200, last: 198.51.100.219}
    cluster:
      kind: bareMetal
      nodes:
        eu-west-cp: {address: 198.51.100.11, role: control-plane}
        w1: {address: 198.51.100.12, role: worker}
    edges: {ns2: {address: 198.51.100.5}}
mesh: {id: prod, trustDomain: prod.example.org}
namespaces: {shop: {}, shop-b2b: {}}
applications:
  b2b-api: {namespace: shop, image: "registry.example.org/shop/b2b:1.0.0"}
  api: {namespace: shop-b2b, image: "registry.example.org/shop/api:1.0.0"}
  shop: {namespace: shop, image: "registry.example.org/shop/web:1.0.0"}
  west-shop: {namespace: shop, image: "registry.example.org/shop/web:1.0.0"}
ingresses:
  shop: {namespace: shop, host: shop.prod.example.org, paths: [{path: /, application: b2b-api}]}
  b2b: {namespace: shop-b2b, host: b2b.prod.example.org, paths: [{path: /, application: api}]}
globalLoadBalancer: {}
"""


def test_names_that_meet_when_they_are_joined_are_names_of_different_resources(small_charts: None) -> None:
    environment = Environment.model_validate(yaml.safe_load(DECLARATION))
    ledger = assign(environment, Ledger())
    stack = replace(support.reference_stack(), environment=environment, ledger=ledger)
    # One that is registered twice ends the run.
    built = support.run(lambda: Platform("prod", stack, "root key").outputs, preview=True)
    objects: dict[Any, str] = {}
    for each in built.resources.values():
        if each.kubernetes and "kind" in each.inputs:
            metadata = each.inputs["metadata"]
            content = (each.region, each.inputs["kind"], metadata.get("namespace"), metadata["name"])
            assert objects.setdefault(content, each.urn) == each.urn, content
    for namespace, name in (("shop", "b2b-api"), ("shop-b2b", "api")):
        for region in ("eu", "eu-west"):
            assert (region, "Deployment", namespace, name) in objects
