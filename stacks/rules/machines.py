"""Rules over machines: names, addresses, and what it takes to reach them and to install on them."""

from __future__ import annotations

from stacks.errors import KeyPath
from stacks.model import Node
from stacks.rules.check import Check
from stacks.wording import suggestion


def host_names_are_unique(check: Check) -> None:
    """A host's name stands once in the environment.

    Host keys, metrics and Kubernetes nodes are found by it.
    """
    first: dict[str, int] = {}
    for region, name, path, _ in check.hosts():
        if name in first:
            check.problem(
                path,
                f"the name '{name}' again; line {first[name]} has it already",
                "host names are unique over all regions, nodes and edge hosts",
                f"rename one, for example to {region}-{name}",
            )
        else:
            first[name] = check.line(*path)


def addresses_are_unique(check: Check) -> None:
    """An address belongs to one machine.

    A second one would be set up over the first, or neither be reached.
    """
    first: dict[object, tuple[str, int]] = {}
    for region, spec in check.environment.regions.items():
        for index, peer in enumerate(spec.fabric.peers if spec.fabric else ()):
            path: KeyPath = ("regions", region, "fabric", "peers", index)
            owner = f"a fabric peer of region '{region}'"
            if peer.address in first and first[peer.address][0] == owner:
                check.problem(
                    path,
                    f"{peer.address} again; line {first[peer.address][1]} has it already",
                    "a router is declared once in its region",
                    "remove one of the two",
                )
            first.setdefault(peer.address, (owner, check.line(*path)))
    for _, name, where, host in check.hosts():
        if host.address in first:
            owner, line = first[host.address]
            check.problem(
                (*where, "address"),
                f"{host.address}, the address of {owner} (line {line})",
                "every machine and router has an address of its own",
                "give one of them another address",
            )
        else:
            first[host.address] = (f"host '{name}'", check.line(*where, "address"))


def hosts_lie_in_their_machine_network(check: Check) -> None:
    """A host's address is one of its region's machine network.

    Nodes and routers speak to each other there directly.
    """
    for region, _, path, host in check.hosts():
        network = check.environment.regions[region].machine_network
        where = f"(line {check.line('regions', region, 'machineNetwork')})"
        if host.address not in network:
            other = next(
                (
                    name
                    for name, spec in check.environment.regions.items()
                    if host.address in spec.machine_network
                ),
                None,
            )
            fix = (
                f"move the host to region '{other}', whose network holds it"
                if other
                else f"choose one of {network}"
            )
            check.problem(
                (*path, "address"),
                str(host.address),
                f"a host's address lies in the machine network {network} of its region '{region}' {where}",
                fix,
            )
        elif host.address in (network.network_address, network.broadcast_address):
            check.problem(
                (*path, "address"),
                str(host.address),
                f"the first and the last address of {network} {where} belong to no host",
                "choose another",
            )


def profiles_exist(check: Check) -> None:
    """A host's profile is declared: without its settings the machine would come up wrong, if at all."""
    known = check.declared("hostProfiles")
    for _, _, path, host in check.hosts():
        if isinstance(host, Node) and host.profile is not None and host.profile not in known:
            listed = (
                f"profiles there are: {', '.join(sorted(known))}" if known else "`hostProfiles` declares none"
            )
            check.problem(
                (*path, "profile"),
                f"the unknown profile '{host.profile}'",
                listed,
                suggestion(host.profile, known, "declare it under `hostProfiles`, or remove the line"),
            )


def hosts_can_be_reached(check: Check) -> None:
    """Where there are machines there is `ssh`: hosts are set up over it, with checked host keys."""
    if check.environment.ssh is None and check.intact("ssh"):
        first = next(check.hosts(), None)
        if first is not None:
            check.problem(
                ("ssh",),
                "nothing",
                f"hosts such as '{first[1]}' (line {check.line(*first[2])}) are reached by ssh",
                "add `ssh` with `privateKeyFile` and `knownHostsFile`",
            )


def apt_sources_have_names_of_their_own(check: Check) -> None:
    """A source's name is its file's on every host.

    Of two with one name the second would replace the first.
    """
    first: dict[str, int] = {}
    for index, source in enumerate(check.environment.sources.apt):
        path = ("sources", "apt", index)
        if source.name in first:
            check.problem(
                (*path, "name"),
                f"the name '{source.name}' again; line {first[source.name]} has it already",
                "each apt source has a name of its own",
                "rename one",
            )
        first.setdefault(source.name, check.line(*path, "name"))


def apt_sources_name_their_components(check: Check) -> None:
    """A suite has components, a flat repository (its suite ends with /) has none: apt refuses else."""
    for index, source in enumerate(check.environment.sources.apt):
        flat = source.suite.endswith("/")
        if flat == bool(source.components):
            shown = ", ".join(source.components) or "no components"
            check.problem(
                ("sources", "apt", index),
                f"the suite {source.suite} with {shown}",
                "a suite has components; a flat repository, whose suite ends with /, has none",
                "write `components: []`" if flat else "write for example `components: [main]`",
            )


RULES = (
    host_names_are_unique,
    addresses_are_unique,
    hosts_lie_in_their_machine_network,
    profiles_exist,
    hosts_can_be_reached,
    apt_sources_have_names_of_their_own,
    apt_sources_name_their_components,
)
