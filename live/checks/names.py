"""Does every name server send clients to healthy gateways, and to those only?"""

from __future__ import annotations

from access import network
from access.outputs import NameServer
from live.doctor.model import Evidence, Finding, Watch
from live.doctor.platform import GATEWAY_READINESS_PORT, Platform

READY_PATH = "/healthz/ready"


def check_gateway_readiness(platform: Platform, region: str, watch: Watch) -> Finding:
    """The gateway's readiness port, which the name servers probe, answers 200 at its public address."""
    address = platform.gateways.get(region)
    where = f"http://{address}:{GATEWAY_READINESS_PORT}{READY_PATH}"
    evidence = Evidence(f"200 from {where}")
    watch.at(where)
    if address is None:
        evidence.problem(f"the outputs name no gateway address for {region}", "Run `pulumi up`.")
        return evidence.finding("nothing")
    answer = network.get_http(address, GATEWAY_READINESS_PORT, READY_PATH)
    if answer.status != 200:
        evidence.problem(
            answer.problem or f"it answers {answer.status}: {answer.body.strip()[:200]}",
            f"See the checks gateway/{region} and gateway-address/{region}, and whether this machine has a "
            f"route to {address}.",
        )
    return evidence.finding(answer.problem or f"HTTP {answer.status}")


def check_name_server(platform: Platform, server: NameServer, watch: Watch) -> Finding:
    """The server answers over UDP and TCP, for every host, with addresses of healthy gateways only."""
    spec = platform.stack.environment.global_load_balancer
    ttl = spec.ttl if spec else None
    evidence = Evidence(
        "healthy gateways' addresses for every host" + (f", TTL at most {ttl} s" if ttl else "")
    )
    owners = {address: region for region, address in platform.gateways.items()}
    healthy = _healthy(platform, watch)
    measured = []
    for host in [spec.host for spec in platform.ingresses]:
        for tcp in (False, True):
            transport = "TCP" if tcp else "UDP"
            watch.at(f"{server} ({transport}) for {host}")
            answer = network.ask(server, host, tcp=tcp)
            if answer.problem:
                evidence.problem(
                    f"{transport}, {host}: {answer.problem}",
                    "Look at gdnsd on that edge host: `systemctl status gdnsd`, `journalctl -u gdnsd`.",
                )
                continue
            named = [f"{address} ({owners.get(address, 'nobody')})" for address in answer.addresses]
            evidence.note(f"{transport}, {host}: {', '.join(named)}, TTL {answer.ttl} s")
            _judge(answer, owners, healthy, (transport, host, ttl), evidence)
            if not tcp:
                measured.append(f"{', '.join(named)} TTL {answer.ttl}")
    return evidence.finding("; ".join(measured) or "no answer")


def _judge(
    answer: network.NameAnswer,
    owners: dict[str, str],
    healthy: set[str],
    about: tuple[str, str, int | None],
    evidence: Evidence,
) -> None:
    transport, host, ttl = about
    for address in answer.addresses:
        if address not in owners:
            evidence.problem(f"{transport}, {host}: {address} is no region's gateway", "Run `pulumi up`.")
        elif address not in healthy:
            evidence.problem(
                f"{transport}, {host}: it sends clients to {owners[address]}, whose gateway is not ready",
                f"See gateway-readiness/{owners[address]}; `gdnsdctl states` says what the edge host sees.",
            )
    if ttl is not None and answer.ttl is not None and answer.ttl > ttl:
        evidence.problem(
            f"{transport}, {host}: TTL {answer.ttl} s is longer than {ttl} s", "Run `pulumi up`."
        )


def _healthy(platform: Platform, watch: Watch) -> set[str]:
    found = set()
    for region, address in platform.gateways.items():
        watch.at(f"the readiness of the gateway of {region}")
        if network.get_http(address, GATEWAY_READINESS_PORT, READY_PATH, seconds=2).status == 200:
            found.add(address)
    return found
