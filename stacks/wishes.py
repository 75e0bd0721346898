"""What operators look for and cannot declare yet: how they write it, and what to do until then.

Whoever writes one of these keys has not mistyped another one. Each is tracked on a page that is made from
this table, `docs/reference/not-supported-yet.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "not-supported-yet.md"
PAGE = "docs/reference/not-supported-yet.md"


@dataclass(frozen=True)
class Wish:
    """Something that cannot be declared yet."""

    title: str
    until: str
    """What can be done today, as an advice."""
    keys: str = ""
    """Keys that people write for it, in small letters, without - and _."""
    values: str = ""
    """Values of `kind` that people write for it."""

    @property
    def where(self) -> str:
        """Where it is tracked: a page of the project, and its heading there."""
        return f"{PAGE}#{re.sub(r'[^a-z0-9]+', '-', self.title.lower()).strip('-')}"

    @property
    def rule(self) -> str:
        """What is said to who declares it."""
        return f"{self.title}: not supported yet ({self.where})"


DUAL_STACK = Wish(
    "IPv6 and dual stack",
    "declare IPv4 alone",
    "dualstack ipfamilies ipfamily ipfamilypolicy ipv6 podpoolv6 servicepoolv6",
)
POD_RANGES = Wish(
    "Several ranges of pods or services in a cluster",
    "name the one range that holds them all; where there is none, the cluster cannot be adopted yet",
)
NETWORKS = Wish(
    "Regions that cannot route pods to each other",
    "have routers carry pod routes between all regions, and leave `meshNetwork` out",
    "eastwestgateway eastwestgateways networkgateways",
)
KUBECONFIG_FILES = Wish(
    "Kubeconfigs by file and context",
    "put its text into a secret (`kubectl --kubeconfig FILE config view --raw --flatten --minify | pulumi "
    "config set --secret NAME`) and write `kubeconfigSecret: NAME`",
    "context kubeconfig kubeconfigcontext kubeconfigfile kubeconfigpath",
)
CLOUDS = Wish(
    "Clusters that a cloud or another installer makes",
    "make the cluster with its own tools, and adopt it: kind: adopted",
    values="aks eks gke k0s k3s kind kops managed openshift rke2 talos",
)

WISHES = (
    DUAL_STACK,
    POD_RANGES,
    NETWORKS,
    KUBECONFIG_FILES,
    CLOUDS,
    Wish(
        "Gateways behind a NAT",
        "have the NAT forward to nodes of `gatewayNodes`, and others answer the names with its address "
        "(`dns: false` of the ingress)",
        "externalip nataddress natip publicaddress publicip",
    ),
    Wish(
        "Answers by distance and latency",
        "leave it out, and say by `geography` of the global load balancer which regions clients of a "
        "network, a country or a continent are led to",
        "affinityregion coordinates latency latitude location longitude nearest proximity",
    ),
    Wish(
        "Other pod networks",
        "leave it out: pods have routed addresses, announced by BIRD",
        "calico cilium cni encapsulation flannel networkplugin overlay podnetwork vxlan",
    ),
    Wish(
        "Settings of API server, scheduler and controller manager",
        "leave it out",
        "admissionplugins apiserver apiserverextraargs controllermanager etcd extraargs oidcissuer scheduler",
    ),
    Wish(
        "Who may call what is exposed",
        "let the application itself ask who calls, and say so by `public` of the ingress",
        "allowedusers apikey authentication authorization basicauth jwt oauth oidc",
    ),
    Wish(
        "Hosts without ssh",
        "let its sshd take the key of who runs crossmesh, also on the machine that crossmesh runs on",
        "ansibleconnection connection local localhost winrm",
    ),
    Wish(
        "Certificates by ACME or cert-manager",
        "have them issued elsewhere, for example by a client of ACME with a DNS challenge, and give them by "
        "`certificates`; each exchange is a `pulumi up`",
        "acme certificate certmanager clusterissuer issuer letsencrypt tls tlssecret",
    ),
    Wish(
        "Names in a provider's DNS",
        "have the zone delegated to the edge hosts; or leave `globalLoadBalancer` out, and enter the "
        "gateways' addresses there by hand",
        "azuredns clouddns cloudflare dnsprovider externaldns powerdns route53",
    ),
    Wish(
        "Autoscaling",
        "declare a fixed number of `replicas`",
        "autoscale autoscaling horizontalpodautoscaler hpa maxreplicas minreplicas",
    ),
    Wish(
        "Volumes",
        "keep data in a service outside, or deploy what needs a volume beside the platform, by its own tools",
        "persistence persistentvolumeclaim persistentvolumeclaims pvc statefulset storage storageclass "
        "volumemounts volumes",
    ),
    Wish(
        "Where pods of an application run",
        "leave it out: pods are spread over the workers of each region",
        "affinity nodeselector priorityclass priorityclassname tolerations topologyspreadconstraints",
    ),
    Wish(
        "Commands and further containers",
        "put command and arguments into the image; one container is run",
        "args command containers entrypoint initcontainers lifecycle sidecars",
    ),
    Wish("Jobs", "deploy them beside the platform, by their own tools", "cronjob cronjobs jobs schedule"),
    Wish(
        "Other protocols than HTTP",
        "expose it beside the platform, by a Service of its own",
        "grpc ports protocol tcp tcpport tlspassthrough udp",
    ),
    Wish(
        "More of an ingress than paths",
        "declare its host under `routes` in place of `ingresses`: their rules have `pathType`, `methods`, "
        "`headers`, `rewrite`, `redirect`, `timeout`, `requestHeaders` and `responseHeaders`",
        "headers method methods pathtype redirect redirects requestheaders responseheaders rewrite "
        "rewritetarget stripprefix timeout timeouts",
    ),
    Wish(
        "Retries, limits and cross-origin rules of requests",
        "leave it to the application: the standard channel of the Gateway API keeps no retries, and no "
        "cross-origin rules before 1.5; Istio asks twice more by itself where a connection fails",
        "cors ratelimit regex retries retry sessionpersistence",
    ),
    Wish(
        "Events and observability",
        "deploy them beside the platform, by their own tools",
        "alerting events grafana kafka logging metrics monitoring observability prometheus topics tracing",
    ),
)

KNOWN_AS = {
    "apiservervip": "apiServerAddress",
    "apivip": "apiServerAddress",
    "controlplaneendpoint": "apiServerAddress",
    "controlplanevip": "apiServerAddress",
    "haproxy": "apiServerAddress",
    "keepalived": "apiServerAddress",
    "kubevip": "apiServerAddress",
    "virtualip": "apiServerAddress",
    "vip": "apiServerAddress",
    "backendrefs": "backends",
    "hostnames": "hosts",
    "method": "methods",
    "rewritetarget": "rewrite",
    "stripprefix": "rewrite",
    "timeouts": "timeout",
    "urlrewrite": "rewrite",
    "requestredirect": "redirect",
    "requestheadermodifier": "requestHeaders",
    "responseheadermodifier": "responseHeaders",
    "externalips": "gatewayNodes",
    "hostnetwork": "gatewayNodes",
    "hostport": "gatewayNodes",
    "servicelb": "gatewayNodes",
    "auditlog": "audit",
    "auditlogmaxage": "audit.maxAge",
    "auditlogmaxbackup": "audit.maxBackup",
    "auditlogmaxsize": "audit.maxSize",
    "auditpolicy": "audit.policyFile",
    "auditpolicyfile": "audit.policyFile",
    "encryptsecrets": "encryptionAtRest",
    "secretsencryption": "encryptionAtRest",
    "continent": "continents",
    "country": "countries",
    "geo": "geography",
    "geoip": "geography",
    "geolocation": "geography",
    "mmdb": "geoipDatabase",
    "routingpolicy": "policy",
    "steering": "policy",
    "strategy": "policy",
    "weight": "weights",
    "weighted": "weights",
    "ipip": "tunnels",
    "ipsec": "tunnels",
    "vpn": "tunnels",
    "wireguard": "tunnels",
    "ansiblehost": "address",
    "ansibleport": "ssh.port",
    "ansiblesshprivatekeyfile": "ssh.privateKeyFile",
    "ansibleuser": "ssh.user",
    "bastion": "jump",
    "ansiblebecomepassword": "ssh.becomePassword",
    "becomepass": "becomePassword",
    "httpproxy": "http",
    "httpsproxy": "https",
    "internalip": "address",
    "ip": "address",
    "ipaddress": "address",
    "istioversion": "versions.istio",
    "k8sversion": "versions.kubernetes",
    "kubernetesversion": "versions.kubernetes",
    "noproxy": "except",
    "privateaddress": "address",
    "privateip": "address",
    "jumphost": "jump",
    "proxyjump": "jump",
    "sshaddress": "ssh.address",
    "sshkey": "ssh.privateKeyFile",
    "sshkeypath": "ssh.privateKeyFile",
    "sshport": "ssh.port",
    "sshuser": "ssh.user",
    "sudopassword": "ssh.becomePassword",
}
"""What other tools call keys that there are, written as `Wish.keys`; with the key that they are under."""

VALUES_KNOWN_AS = {
    "agent": "worker",
    "controller": "control-plane",
    "controlplane": "control-plane",
    "master": "control-plane",
    "node": "worker",
    "server": "control-plane",
}
"""What other tools call values that there are, in small letters."""


def known_as(key: str) -> tuple[str, str]:
    """The key that is meant by one of another tool, behind the one that it is under; itself where none is."""
    within, _, meant = KNOWN_AS.get(_plain(key), key).rpartition(".")
    return within, meant


def _plain(key: str) -> str:
    return re.sub(r"[-_]", "", key).lower()


def wish_for(key: str) -> Wish | None:
    """The wish that a key stands for, however it is written."""
    plain = _plain(key)
    return next((wish for wish in WISHES if plain in wish.keys.split()), None)


def render() -> str:
    """The page of what cannot be declared yet."""
    lines = [
        "# Not supported yet",
        "",
        "What operators look for and cannot declare yet. Who writes one of these keys is told so, and what",
        "can be done today. To say that you need one, or how you would declare it, write an issue that",
        "names it.",
        "",
        "<!-- Made by `make docs` from stacks/wishes.py. -->",
    ]
    for wish in WISHES:
        lines += ["", f"## {wish.title}", "", f"Until then: {wish.until}."]
        for what, words in (("one of", wish.keys), ("`kind:`", wish.values)):
            if words:
                lines += [
                    "",
                    f"Told to who writes {what}: {', '.join(f'`{word}`' for word in words.split())}.",
                ]
    return "\n".join(lines) + "\n"
