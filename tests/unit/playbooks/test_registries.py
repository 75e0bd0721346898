"""Registries and the proxy, from the declaration to the files that containerd and apt read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from playbooks.inventory import HostPlan, ansible_inventory, host_plans
from playbooks.proxy import is_beside
from playbooks.work import quiet
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger
from stacks.model import Environment

Render = Callable[..., str]
HUB = {"name": "docker.io", "mirror": "https://cache.example.org/v2/hub", "login": "hubLogin"}
CACHE = {"name": "cache.example.org", "caFile": "/keys/cache.pem", "login": "cacheLogin"}
OWN = {"name": "registry.example.org:5000", "mirror": "https://repository.example.org/docker"}
PROXY = {"http": "http://proxy.example.org:3128", "except": [".example.org", "198.51.100.0/24"]}
LOGINS = {
    "docker.io": {"user": "anna", "password": 'to"k\\en'},
    "cache.example.org": {"user": "büro", "password": "p:p"},
}


@pytest.fixture
def planned(declaration: dict[str, Any], ledger: Ledger) -> Callable[..., dict[str, HostPlan]]:
    """The lab's hosts with other sources."""

    def planned(**sources: Any) -> dict[str, HostPlan]:
        declaration["sources"] |= sources
        return host_plans(Environment.model_validate(declaration), ledger)

    return planned


def files(render: Render, variables: dict[str, Any]) -> dict[str, str]:
    text = render("container_runtime", "registries.json.j2", variables)
    return {entry["path"]: entry["content"] for entry in json.loads(text)}


def test_a_mirror_is_asked_before_its_registry_and_trusted_as_what_it_is_declared_as(
    planned: Callable[..., dict[str, HostPlan]], render: Render
) -> None:
    plan = planned(registries=[HUB, CACHE, OWN])["eu-worker-1"]
    assert plan.files[PREPARE]["container_runtime_authorities"] == {"cache.example.org": "/keys/cache.pem"}
    authorities = {"container_runtime_authorities": {"cache.example.org": "PEM\n"}}
    written = files(render, {**plan.variables[PREPARE], **authorities})
    certs = "/etc/containerd/certs.d"
    assert written[f"{certs}/cache.example.org/ca.crt"] == "PEM\n"
    assert tomllib.loads(written[f"{certs}/docker.io/hosts.toml"]) == {
        "server": "https://registry-1.docker.io",
        "host": {
            "https://cache.example.org/v2/hub": {
                "capabilities": ["pull", "resolve"],
                "override_path": True,
                "ca": f"{certs}/cache.example.org/ca.crt",
            }
        },
    }
    assert tomllib.loads(written[f"{certs}/registry.example.org:5000/hosts.toml"]) == {
        "server": "https://registry.example.org:5000",
        "host": {"https://repository.example.org/docker": {"capabilities": ["pull", "resolve"]}},
    }


def test_a_login_is_containerd_s_so_that_mirrors_kubeadm_and_sandboxes_have_it_too(
    planned: Callable[..., dict[str, HostPlan]], render: Render
) -> None:
    plan = planned(registries=[HUB, CACHE, OWN])["eu-worker-1"]
    assert plan.logins[PREPARE] == {
        "container_runtime_logins": {"docker.io": "hubLogin", "cache.example.org": "cacheLogin"}
    }
    variables = {**plan.variables[PREPARE], "container_runtime_logins": LOGINS}
    config = tomllib.loads(render("container_runtime", "config.toml.j2", variables))
    registry = config["plugins"]["io.containerd.grpc.v1.cri"]["registry"]
    assert registry["configs"] == {
        "registry-1.docker.io": {"auth": {"username": "anna", "password": 'to"k\\en'}},
        "cache.example.org": {"auth": {"username": "büro", "password": "p:p"}},
    }


def test_the_inventory_for_use_by_hand_has_no_login_and_so_writes_none_away(
    declaration: dict[str, Any], ledger: Ledger, render: Render
) -> None:
    declaration["sources"]["registries"] = [CACHE]
    host = ansible_inventory(Environment.model_validate(declaration), ledger)["all"]["hosts"]["eu-worker-1"]
    assert "container_runtime_logins" not in host
    with pytest.raises(Exception, match=r"cache\.example\.org"):
        render("container_runtime", "config.toml.j2", host)


def test_edge_hosts_have_no_registries(planned: Callable[..., dict[str, HostPlan]]) -> None:
    plan = planned(registries=[HUB, CACHE])["eu-edge-1"]
    given = [plan.variables[PREPARE], plan.files.get(PREPARE, {}), plan.logins.get(PREPARE, {})]
    assert "container_runtime" not in json.dumps(given)


def test_mirrors_and_authorities_are_read_at_the_next_pull() -> None:
    assert {"container_runtime_registries", "container_runtime_authorities"} <= quiet("prepare")


def test_containerd_asks_the_proxy_but_for_pods_services_its_region_and_what_is_declared(
    planned: Callable[..., dict[str, HostPlan]], render: Render
) -> None:
    variables = planned(proxy=PROXY)["eu-worker-1"].variables[PREPARE]
    text = render("container_runtime", "proxy.conf.j2", variables)
    assert text == (
        "[Service]\n"
        'Environment="HTTP_PROXY=http://proxy.example.org:3128"\n'
        'Environment="HTTPS_PROXY=http://proxy.example.org:3128"\n'
        'Environment="NO_PROXY=127.0.0.0/8,::1,localhost,.cluster.local,.svc,172.30.0.0/16,172.31.0.0/16,'
        '10.101.1.0/24,.example.org,198.51.100.0/24"\n'
    )


def test_apt_asks_the_proxy_but_for_repositories_that_are_reached_without(
    planned: Callable[..., dict[str, HostPlan]], render: Render
) -> None:
    key = {"suite": "bookworm", "signedBy": "/keys/apt"}
    sources = [
        {"name": "debian", "uri": "https://deb.example.net/debian", **key},
        {"name": "site", "uri": "http://mirror.example.org:8080/apt", **key},
        {"name": "rack", "uri": "http://198.51.100.7/apt", **key},
    ]
    for host in ("eu-edge-1", "eu-worker-1"):
        variables = planned(proxy=PROXY, apt=sources)[host].variables[PREPARE]
        assert render("base", "proxy.conf.j2", variables).splitlines() == [
            'Acquire::http::Proxy "http://proxy.example.org:3128";',
            'Acquire::https::Proxy "http://proxy.example.org:3128";',
            'Acquire::http::Proxy::198.51.100.7 "DIRECT";',
            'Acquire::https::Proxy::198.51.100.7 "DIRECT";',
            'Acquire::http::Proxy::mirror.example.org "DIRECT";',
            'Acquire::https::Proxy::mirror.example.org "DIRECT";',
        ]


@pytest.mark.parametrize(
    ("base_url", "by_proxy"), [("https://198.51.100.7/x", False), ("https://a.test", True)]
)
def test_image_bundles_come_by_the_proxy_unless_their_mirror_is_excepted(
    planned: Callable[..., dict[str, HostPlan]], base_url: str, by_proxy: bool
) -> None:
    images = {"baseUrl": base_url, "signedBy": "/keys/images"}
    variables = planned(proxy=PROXY, images=images)["eu-worker-1"].variables[PREPARE]
    assert ("images_proxy" in variables) is by_proxy


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("a.example.org", ".example.org", True),
        ("example.org", ".example.org", False),
        ("example.org", "example.org", True),
        ("a.example.org", "example.org", True),
        ("badexample.org", "example.org", False),
        ("a.example.org", "a.example.org:8443", True),
        ("192.0.2.9", "192.0.2.0/24", True),
        ("192.0.3.9", "192.0.2.0/24", False),
        ("192.0.2.9", "192.0.2.9", True),
        ("::1", "::1", True),
        ("localhost", "localhost", True),
    ],
)
def test_a_name_excepts_itself_and_what_is_below_it(host: str, name: str, expected: bool) -> None:
    assert is_beside(host, [name]) is expected


def test_a_new_region_changes_nothing_of_another_one_s_way_out(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    declaration["sources"]["proxy"] = PROXY
    before = host_plans(Environment.model_validate(declaration), ledger)["eu-worker-1"]
    declaration["regions"]["us"]["machineNetwork"] = "10.101.0.0/20"
    assert host_plans(Environment.model_validate(declaration), ledger)["eu-worker-1"] == before
