from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from playbooks.inventory import host_plans
from playbooks.phase import COLLECTION, Phase
from playbooks.work.clusters import CONTROL_PLANE, JOIN
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE
from stacks.ledger import Ledger
from stacks.model import Environment
from tests.unit.playbooks.conftest import ARMOURED

Render = Callable[..., str]
GATEWAYS = {
    "gdnsd_gateways": {"us": ["10.101.2.200"], "eu": ["10.101.1.200"]},
    "gdnsd_ca_certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
}
TEMPLATES = [
    ("eu-cp-1", PREPARE, "base", "crossmesh.sources.j2"),
    ("eu-cp-1", PREPARE, "base", "preferences.j2"),
    ("eu-cp-1", PREPARE, "container_runtime", "config.toml.j2"),
    ("eu-cp-1", PREPARE, "kubelet", "default.j2"),
    ("eu-cp-1", PREPARE, "kubelet", "host.conf.j2"),
    ("eu-cp-1", PREPARE, "pod_network", "bird.conf.j2"),
    ("eu-cp-1", PREPARE, "pod_network", "10-crossmesh.conflist.j2"),
    ("eu-cp-1", PREPARE, "pod_network", "service.conf.j2"),
    ("eu-cp-1", PREPARE, "pod_network", "networkd.conf.j2"),
    ("eu-cp-1", PREPARE, "pod_network", "pods.nft.j2"),
    ("eu-cp-1", CONTROL_PLANE, "control_plane", "admission.yaml.j2"),
    ("eu-cp-1", CONTROL_PLANE, "control_plane", "audit-policy.yaml.j2"),
    ("eu-cp-1", CONTROL_PLANE, "control_plane", "authentication.yaml.j2"),
    ("eu-cp-1", CONTROL_PLANE, "control_plane", "encryption.yaml.j2"),
    ("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2"),
    ("eu-worker-1", JOIN, "join", "kubeadm.yaml.j2"),
    ("eu-edge-1", EDGE, "gdnsd", "config.j2"),
    ("eu-edge-1", EDGE, "gdnsd", "health.json.j2"),
    ("eu-edge-1", EDGE, "gdnsd", "name-server.json.j2"),
    ("eu-edge-1", EDGE, "gdnsd", "zones.json.j2"),
]


def zones_of(render: Render, variables: dict[str, Any]) -> dict[str, str]:
    """Each zone's text."""
    files = json.loads(render("gdnsd", "zones.json.j2", variables))
    return {file["path"].removeprefix("/etc/gdnsd/zones/"): file["content"] for file in files}


@pytest.fixture
def rendered(environment: Environment, ledger: Ledger, render: Render) -> Render:
    """Render a template of a host of the lab as it is in that phase."""
    extra = {
        CONTROL_PLANE: {"control_plane_encryption_keys": [{"name": "key-0", "secret": "AAAA"}]},
        PREPARE: {"base_apt_keys": {source.name: ARMOURED for source in environment.sources.apt}},
        JOIN: {
            "join_token": "abcdef.0123456789abcdef",
            "join_ca_certificate_hash": "sha256:" + "0" * 64,
        },
        EDGE: GATEWAYS,
    }

    def of(host: str, phase: Phase, role: str, template: str, **changes: Any) -> str:
        variables = host_plans(environment, ledger)[host].variables[phase]
        return render(role, template, {**variables, **extra.get(phase, {}), **changes})

    return of


@pytest.mark.parametrize(("host", "phase", "role", "template"), TEMPLATES)
def test_a_template_is_rendered_as_its_golden_file(
    rendered: Render, golden: Callable[[str, str], None], host: str, phase: Phase, role: str, template: str
) -> None:
    golden(f"{role}/{template.removesuffix('.j2')}", rendered(host, phase, role, template))


def test_kubeadm_s_configuration_is_one_document_of_each_kind(rendered: Render) -> None:
    text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2")
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    assert list(documents) == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]
    assert documents["KubeProxyConfiguration"]["clusterCIDR"] == "172.30.0.0/16"
    assert documents["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0, "min": 0}


def test_further_names_of_an_api_server_are_in_its_certificate(rendered: Render) -> None:
    names = ["100.64.223.60", "*.api.example.org", "tower.lab.example.org"]
    text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2", control_plane_names=names)
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    server = documents["ClusterConfiguration"]["apiServer"]
    assert server["certSANs"] == ["10.101.1.11", "eu-cp-1", *names]


def arguments_of(text: str, program: str = "apiServer") -> dict[str, str]:
    """What kubeadm's configuration adds to a program's arguments."""
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    added = documents["ClusterConfiguration"][program]["extraArgs"]
    found = {argument["name"]: argument["value"] for argument in added}
    assert len(found) == len(added)
    return found


@pytest.mark.parametrize(
    ("changes", "there", "absent"),
    [
        ({}, {"audit-log-maxage": "30", "audit-log-maxbackup": "10", "audit-log-maxsize": "100"}, []),
        ({"control_plane_audit_max_age": 7}, {"audit-log-maxage": "7"}, []),
        ({"control_plane_audit": False}, {"profiling": "false"}, ["audit-log-path", "audit-policy-file"]),
    ],
)
def test_the_audit_log_is_kept_as_long_as_it_is_declared(
    rendered: Render, changes: dict[str, Any], there: dict[str, str], absent: list[str]
) -> None:
    text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2", **changes)
    found = arguments_of(text)
    assert found.items() >= there.items()
    assert not found.keys() & set(absent)
    cluster = {document["kind"]: document for document in yaml.safe_load_all(text)}["ClusterConfiguration"]
    volumes = cluster["apiServer"]["extraVolumes"]
    assert ("/var/log/kubernetes/audit" in [volume["hostPath"] for volume in volumes]) is not bool(absent)


@pytest.mark.parametrize("external", [True, False])
def test_services_take_external_addresses_only_where_the_gateway_has_those_of_nodes(
    rendered: Render, external: bool
) -> None:
    text = rendered(
        "eu-cp-1",
        CONTROL_PLANE,
        "control_plane",
        "kubeadm.yaml.j2",
        control_plane_external_ips=external,
    )
    plugins = arguments_of(text)["enable-admission-plugins"].split(",")
    assert plugins[:2] == ["NodeRestriction", "EventRateLimit"]
    assert ("DenyServiceExternalIPs" in plugins) is not external


@pytest.mark.parametrize("several", [True, False])
def test_programs_read_the_authorities_from_files_of_their_own_while_there_are_several(
    rendered: Render, several: bool
) -> None:
    """Each content is another argument, so that each stage starts them anew."""
    given = {"control_plane_authorities": ["NEW", "OLD"]} if several else {}
    text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2", **given)
    trusted = {"client-ca-file": "/etc/kubernetes/crossmesh/authorities.crt"}
    wanted = {
        "apiServer": trusted,
        "scheduler": trusted,
        "controllerManager": {
            **trusted,
            "root-ca-file": trusted["client-ca-file"],
            "cluster-signing-cert-file": "/etc/kubernetes/crossmesh/signer.crt",
        },
    }
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    for program, arguments in wanted.items():
        found = {name: arguments_of(text, program).get(name) for name in arguments}
        assert found == (arguments if several else dict.fromkeys(arguments))
        volumes = documents["ClusterConfiguration"][program].get("extraVolumes", [])
        mounted = "/etc/kubernetes/crossmesh" in [volume["mountPath"] for volume in volumes]
        assert mounted is (several or program == "apiServer")


@pytest.mark.parametrize("extends", [True, False])
def test_tokens_of_pods_are_taken_for_a_year_unless_declared_otherwise(
    rendered: Render, extends: bool
) -> None:
    text = rendered(
        "eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2", control_plane_extend_tokens=extends
    )
    wanted = None if extends else "false"
    assert arguments_of(text).get("service-account-extend-token-expiration") == wanted


@pytest.mark.parametrize("encrypts", [True, False])
def test_secrets_can_be_read_whether_they_are_written_encrypted_or_not(
    rendered: Render, encrypts: bool
) -> None:
    keys = [{"name": "new", "secret": "AA=="}, {"name": "old", "secret": "BB=="}]
    text = rendered(
        "eu-cp-1",
        CONTROL_PLANE,
        "control_plane",
        "encryption.yaml.j2",
        control_plane_encrypt_secrets=encrypts,
        control_plane_encryption_keys=keys,
    )
    (rule,) = yaml.safe_load(text)["resources"]
    assert rule["resources"] == ["secrets"]
    providers = [next(iter(provider)) for provider in rule["providers"]]
    assert providers == (["secretbox", "identity"] if encrypts else ["identity", "secretbox"])
    assert rule["providers"][0 if encrypts else 1] == {"secretbox": {"keys": keys}}


SHARED = {"control_plane_virtual_address": "10.101.1.100", "control_plane_endpoint": "10.101.1.100:6443"}


def test_control_planes_that_share_an_address_say_the_same_of_their_cluster(rendered: Render) -> None:
    def documents(**node: Any) -> list[dict[str, Any]]:
        text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "kubeadm.yaml.j2", **SHARED, **node)
        return list(yaml.safe_load_all(text))

    other = {"control_plane_node_name": "eu-cp-2", "control_plane_address": "10.101.1.14"}
    (first, *shared), (second, *same) = documents(), documents(**other)
    assert shared == same
    assert "certSANs" not in shared[0]["apiServer"]
    assert first["localAPIEndpoint"] == {"advertiseAddress": "10.101.1.11", "bindPort": 6443}
    assert second["localAPIEndpoint"] == {"advertiseAddress": "10.101.1.14", "bindPort": 6443}
    (_, named, *_) = documents(control_plane_names=["api.example.org"])
    assert named["apiServer"]["certSANs"] == ["api.example.org"]


def test_a_further_control_plane_joins_at_the_shared_address(rendered: Render) -> None:
    given = {
        "control_plane_join_token": "abcdef.0123456789abcdef",
        "control_plane_ca_certificate_hash": "sha256:0",
    }
    text = rendered("eu-cp-1", CONTROL_PLANE, "control_plane", "join.yaml.j2", **SHARED, **given)
    (document,) = yaml.safe_load_all(text)
    assert document["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "10.101.1.100:6443"
    assert document["controlPlane"]["localAPIEndpoint"] == {
        "advertiseAddress": "10.101.1.11",
        "bindPort": 6443,
    }
    assert document["nodeRegistration"]["taints"][0]["effect"] == "NoSchedule"


def test_all_that_hold_an_address_have_one_priority_and_one_number(render: Render) -> None:
    """Those that are alike leave it where it is; the number tells them from other groups of the network."""
    found = {"interface": "eth0", "router": 100}
    own = {"api_address_virtual": "10.101.1.100", "api_address_port": 6443, "api_address_found": found}
    texts = {
        render("api_address", "api-address.conf.j2", {**own, "api_address_node_name": name}).replace(name, "")
        for name in ("eu-cp-1", "eu-cp-2")
    }
    (text,) = texts
    for words in (
        "interface eth0",
        "virtual_router_id 100",
        "10.101.1.100/32",
        "state BACKUP",
        "api-server-ready 6443",
    ):
        assert words in text


@pytest.mark.parametrize("address", ["", "10.101.1.100"])
@pytest.mark.parametrize("token", ["", "abcdef.0123456789abcdef"])
@pytest.mark.parametrize("member", [True, False])
def test_the_address_is_taken_before_a_cluster_is_made_or_led_there_and_after_one_was_joined(
    address: str, token: str, member: bool
) -> None:
    """Each condition is a truth value: Ansible takes no other."""
    tasks = yaml.safe_load((COLLECTION / "roles" / "control_plane" / "tasks" / "main.yml").read_text())
    given = {
        "control_plane_virtual_address": address,
        "control_plane_join_token": token,
        "control_plane_member": member,
    }
    jinja = NativeEnvironment()
    done = {
        task["name"]: jinja.from_string(f"{{{{ {task['when']} }}}}").render(given)
        for task in tasks
        if "when" in task
    }
    assert done == {
        "Take the address of the API": bool(address) and (member or not token),
        "Await the address of the API": bool(address) and bool(token) and not member,
        "Hold no address that nobody declares": not address and member,
    }
    assert all(isinstance(value, bool) for value in done.values())
    assert [task["name"] for task in tasks].index("Take the address of the API") == 0


@pytest.mark.parametrize(
    ("declared", "there"),
    [
        ({}, {"podPidsLimit": 4096, "seccompDefault": True, "tlsMinVersion": "VersionTLS12"}),
        ({"podPidsLimit": -1, "seccompDefault": False}, {"podPidsLimit": -1, "seccompDefault": False}),
    ],
)
def test_kubelet_is_bounded_where_a_profile_says_nothing_else(
    rendered: Render, declared: dict[str, Any], there: dict[str, Any]
) -> None:
    text = rendered("eu-cp-1", PREPARE, "kubelet", "host.conf.j2", kubelet_configuration=declared)
    assert yaml.safe_load(text).items() >= there.items()


@pytest.mark.parametrize("own", [{"tlsMinVersion": "VersionTLS13"}, {"tlsCipherSuites": ["A"]}])
def test_who_declares_something_of_kubelet_s_tls_declares_all_of_it(
    rendered: Render, own: dict[str, Any]
) -> None:
    text = rendered("eu-cp-1", PREPARE, "kubelet", "host.conf.j2", kubelet_configuration=own)
    found = yaml.safe_load(text)
    assert {key: value for key, value in found.items() if key.startswith("tls")} == own


def test_pods_are_never_masqueraded_and_get_the_node_s_slice(rendered: Render) -> None:
    text = rendered("us-worker-1", PREPARE, "pod_network", "10-crossmesh.conflist.j2")
    bridge = json.loads(text)["plugins"][0]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": "172.30.17.0/24"}]]


def test_without_a_fabric_bird_speaks_with_nobody(rendered: Render) -> None:
    text = rendered(
        "eu-cp-1",
        PREPARE,
        "pod_network",
        "bird.conf.j2",
        pod_network_peers=[],
        pod_network_routes=[{"slice": "172.30.1.0/24", "via": "10.101.1.12"}],
    )
    assert "protocol bgp" not in text
    assert "route 172.30.1.0/24 via 10.101.1.12;" in text


def test_a_region_s_addresses_beside_its_network_are_announced_by_its_nodes_own_sessions(
    declaration: dict[str, Any], ledger: Ledger, render: Render
) -> None:
    declaration["regions"]["eu"]["loadBalancer"] = {"first": "172.20.10.1", "last": "172.20.10.6"}
    plans = host_plans(Environment.model_validate(declaration), ledger)
    eu, us = (dict(plans[node].variables[PREPARE]) for node in ("eu-worker-1", "us-worker-1"))
    text = render("pod_network", "bird.conf.j2", eu)
    networks = ["172.20.10.1/32", "172.20.10.2/31", "172.20.10.4/31", "172.20.10.6/32"]
    assert eu["pod_network_service_ranges"] == networks
    assert f"import where net ~ [ {', '.join(f'{network}{{32,32}}' for network in networks)} ];" in text
    assert 'export where proto = "slice" || proto = "services";' in text
    assert "protocol bgp services" not in render("pod_network", "bird.conf.j2", us)


def test_pods_of_a_region_without_routers_leave_with_their_node_s_address(
    declaration: dict[str, Any], ledger: Ledger, render: Render
) -> None:
    del declaration["regions"]["us"], declaration["regions"]["eu"]["fabric"]
    plans = host_plans(Environment.model_validate(declaration), ledger)
    variables = dict(plans["eu-worker-1"].variables[PREPARE])
    assert variables["pod_network_routes"] == [{"slice": "172.30.0.0/24", "via": "10.101.1.11"}]
    text = render("pod_network", "pods.nft.j2", variables)
    assert "ip saddr 172.30.1.0/24 ip daddr != 172.30.0.0/16 masquerade" in text


def test_only_routers_of_the_nodes_own_as_are_asked_for_their_own_way(rendered: Render) -> None:
    peers = [{"address": "10.101.1.1", "asn": 65000}, {"address": "10.101.1.2", "asn": 65101}]
    text = rendered("eu-cp-1", PREPARE, "pod_network", "bird.conf.j2", pod_network_peers=peers)
    outer, inner = text.split("protocol bgp fabric")[1:]
    assert "gw = " not in outer
    assert "if bgp_next_hop ~ 10.101.1.0/24 then gw = bgp_next_hop; else gw = from;" in inner


def test_systemd_makes_the_cgroups_unless_the_profile_says_otherwise(rendered: Render) -> None:
    text = rendered(
        "eu-cp-1",
        PREPARE,
        "container_runtime",
        "config.toml.j2",
        container_runtime_cgroup_driver="systemd",
    )
    assert "SystemdCgroup = true" in text


def test_an_embedded_key_has_no_empty_line(rendered: Render) -> None:
    text = rendered("eu-cp-1", PREPARE, "base", "crossmesh.sources.j2")
    key = text.partition("Signed-By:\n")[2].rstrip().splitlines()
    assert key[0] == " -----BEGIN PGP PUBLIC KEY BLOCK-----"
    assert key[1] == " ."
    assert all(line.startswith(" ") for line in key)


@pytest.mark.parametrize("ttl", [1, 5, 3600])
def test_the_declared_ttl_is_the_lowest_and_the_highest_that_is_answered(
    declaration: dict[str, Any], ledger: Ledger, render: Render, ttl: int
) -> None:
    declaration["globalLoadBalancer"]["ttl"] = ttl
    plans = host_plans(Environment.model_validate(declaration), ledger)
    zones = zones_of(render, {**plans["eu-edge-1"].variables[EDGE], **GATEWAYS})
    answered = [line.split()[1] for text in zones.values() for line in text.splitlines() if " DYNA " in line]
    assert answered == [f"{ttl}/{ttl}"]


def test_a_name_server_that_ends_is_started_again_however_often(render: Render) -> None:
    lines = render("gdnsd", "service.conf.j2", {}).splitlines()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(lines)


def test_a_prober_that_ends_hangs_or_is_stopped_is_started_again_however_often(rendered: Render) -> None:
    unit = rendered("eu-edge-1", EDGE, "gdnsd", "crossmesh-health.service.j2")
    wanted = {"Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=10"}
    assert wanted | {"WatchdogSignal=SIGKILL", "TimeoutStartSec=16"} <= set(unit.splitlines())
    assert "Nice=" not in unit


def test_gateways_with_host_names_are_answered_by_these_the_region_s_own_first(rendered: Render) -> None:
    gateways = {"eu": ["10.101.1.200"], "us": ["lb-1.cloud.example.org"], "ap": ["lb-2.cloud.example.org"]}
    config = rendered("us-edge-1", EDGE, "gdnsd", "config.j2", gdnsd_gateways=gateways)
    assert "datacenters => [ us, ap, eu ]" in config
    assert "us => { plugin => weighted, us => [ lb-1.cloud.example.org., 1 ] }" in config
    assert "eu => { plugin => multifo, eu => 10.101.1.200 }" in config
    (zone,) = json.loads(rendered("us-edge-1", EDGE, "gdnsd", "zones.json.j2", gdnsd_gateways=gateways))
    zone = zone["content"]
    assert zone.splitlines()[-1].endswith(" DYNC metafo!gateways")
    assert "DYNA" not in zone


def test_a_region_is_answered_with_each_address_that_leads_to_its_gateway(rendered: Render) -> None:
    gateways = {"eu": ["10.101.1.200"], "hoster": ["192.0.2.151", "198.51.100.118"]}
    config = rendered("us-edge-1", EDGE, "gdnsd", "config.j2", gdnsd_gateways=gateways)
    lines = [line.strip() for line in config.splitlines()]
    assert "eu => 10.101.1.200" in lines
    assert "hoster_1 => 192.0.2.151, hoster_2 => 198.51.100.118" in lines
    gateways["us"] = ["lb-1.cloud.example.org"]
    config = rendered("us-edge-1", EDGE, "gdnsd", "config.j2", gdnsd_gateways=gateways)
    several = "{ plugin => multifo, hoster_1 => 192.0.2.151, hoster_2 => 198.51.100.118 }"
    assert f"hoster => {several}" in config
    health = rendered("us-edge-1", EDGE, "gdnsd", "health.json.j2", gdnsd_gateways=gateways)
    assert json.loads(health)["gateways"] == gateways


def test_a_source_of_one_distribution_is_on_no_host_of_another(rendered: Render) -> None:
    entry = {"uri": "http://192.0.2.2/apt", "suite": "trixie", "components": ["main"]}
    sources = [
        {"name": "all", **entry},
        {"name": "new", "distribution": "debian-13", **entry},
        {"name": "other", "distribution": "ubuntu-24.04", **entry},
    ]
    keys = dict.fromkeys(("all", "new", "other"), ARMOURED)
    text = rendered(
        "eu-cp-1",
        PREPARE,
        "base",
        "crossmesh.sources.j2",
        base_apt_sources=sources,
        base_apt_keys=keys,
        base_distribution="debian-13",
    )
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# all", "# new"]


FUNCTIONS = {
    "apex": "functions.example.org",
    "www": "www.functions.example.org",
    "languages": "*.functions.example.org",
    "other-domain": "www.sources.example.net",
}


@pytest.fixture
def several_domains(declaration: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    """An edge host's variables at a site of two domains, the name of one, a wildcard, and a name of a LAN."""
    shop = declaration["ingresses"].popitem()[1]
    declaration |= {
        "domain": "functions.example.org",
        "domains": ["sources.example.net"],
        "ingresses": {
            **{name: {**shop, "host": host} for name, host in FUNCTIONS.items()},
            "lan": {**shop, "host": "nix.sol.milkyway", "dns": False},
        },
    }
    return {
        **host_plans(Environment.model_validate(declaration), ledger)["eu-edge-1"].variables[EDGE],
        **GATEWAYS,
    }


def test_each_domain_is_a_zone_of_the_same_name_servers(
    several_domains: dict[str, Any], render: Render
) -> None:
    zones = zones_of(render, several_domains)
    own, other = zones["functions.example.org"].splitlines(), zones["sources.example.net"].splitlines()
    servers = [f"@ 3600 NS {server}.functions.example.org." for server in ("eu-edge-1", "us-edge-1")]
    for lines in (own, other):
        assert [line for line in lines if " NS " in line] == servers
        assert sum(" SOA eu-edge-1.functions.example.org. " in line for line in lines) == 1
    assert "eu-edge-1 3600 A 10.101.1.13" in own and not [line for line in other if " A " in line]
    answered = [line.split()[0] for line in own if "DYNA" in line]
    assert answered == ["*.functions.example.org.", "functions.example.org.", "www.functions.example.org."]
    assert [line.split()[0] for line in other if "DYNA" in line] == ["www.sources.example.net."]
    assert "milkyway" not in "".join(zones.values())


def test_a_zone_s_own_name_is_answered_with_addresses_where_others_are_aliases(
    several_domains: dict[str, Any], render: Render
) -> None:
    """gdnsd refuses an alias beside the records that a zone begins with."""
    gateways = {"eu": ["10.101.1.200"], "us": ["lb-1.cloud.example.org"]}
    variables = {**several_domains, "gdnsd_gateways": gateways}
    lines = zones_of(render, variables)["functions.example.org"].splitlines()
    ways = {line.split()[0]: line.split()[-1] for line in lines if "DYN" in line}
    assert ways == {
        "*.functions.example.org.": "metafo!gateways",
        "functions.example.org.": "multifo!addresses",
        "www.functions.example.org.": "metafo!gateways",
    }
    _, _, addresses = render("gdnsd", "config.j2", variables).partition("addresses => {")
    assert "eu => 10.101.1.200" in addresses and "us =>" not in addresses


def test_the_prober_is_told_of_hosts_with_other_authorities_alone(rendered: Render) -> None:
    health = json.loads(rendered("eu-edge-1", EDGE, "gdnsd", "health.json.j2", gdnsd_trust={"a.test": ""}))
    assert health["trust"] == {"a.test": ""}
    assert "trust" not in json.loads(rendered("eu-edge-1", EDGE, "gdnsd", "health.json.j2", gdnsd_trust={}))
