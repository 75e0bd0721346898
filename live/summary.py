"""What to do with a platform that has just come up."""

from __future__ import annotations

from access.outputs import Outputs
from stacks.model import Environment


def summarise(stack: str, environment: Environment, outputs: Outputs) -> str:
    """The closing words of a bring-up: URL, how to ask for it, kubeconfigs, what next. Plain text.

    Every command can be pasted into a shell in which the project's environment is active; it needs no
    program but the project's own.
    """
    exposed = (
        f"URL  {outputs.url}"
        if environment.exposed
        else "nothing is exposed yet; `ingresses` and `routes` declare it"
    )
    lines = ["", f"The platform of stack {stack} is up.", "", f"  {exposed}"]
    for region, output in outputs.regions.items():
        nodes = ", ".join(f"{name} {node.address}" for name, node in output.nodes.items())
        gateway = ", ".join(map(str, output.gateway_addresses))
        lines.append(f"  {region:<4} gateway {gateway}, API server {output.api_server}; {nodes}")
    if environment.exposed:
        lines += ["", "Ask as a client does, each name server and then each gateway that it names:"]
    lines += [
        f"  crossmesh ask --stack {stack} https://{exposed.example}{path}"
        for exposed in environment.exposed
        for path in exposed.asked
    ]
    if outputs.nameservers:
        lines.append("Name servers: " + ", ".join(map(str, outputs.nameservers)))
    lines += ["", "Look into the clusters:"]
    lines += [
        f"  crossmesh kubeconfig --stack {stack} --region {region} --output {region}.kubeconfig"
        for region in outputs.regions
    ]
    lines += [
        "",
        "Next:",
        f"  pulumi stack output caCertificate --stack {stack}    what other clients are to trust",
        f"  crossmesh doctor --stack {stack}     check every link of the chain",
        f"  crossmesh status --stack {stack}     nodes, gateways and DNS answers at a glance",
        f"  pulumi up --stack {stack}            after a change of stacks/Pulumi.{stack}.yaml",
        "",
    ]
    return "\n".join(lines)
