"""Rules over machines: names, addresses, and what it takes to reach them and to install on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

import releases
from stacks.errors import KeyPath
from stacks.model import FabricPeer, Host
from stacks.model.machines import DOCKER_HUB, AptSource, Login, Registry
from stacks.rules.check import Check, Placed, repeated
from stacks.wording import suggestion


def host_names_are_unique(check: Check) -> None:
    """A host's name stands once in the environment: host keys, metrics and nodes are found by it."""
    for first, host in repeated(check.hosts(), lambda host: host.name):
        check.problem(
            host.path,
            f"the name '{host.name}' again; line {check.line(*first.path)} has it already",
            "host names are unique over all regions, nodes and edge hosts",
            f"rename one, for example to {host.region}-{host.name}",
        )


def addresses_are_unique(check: Check) -> None:
    """An address belongs to one machine: a second one would be set up over the first, or neither reached."""
    routers = list(check.routers())
    for first, router in repeated(routers, lambda router: (router.region, router.spec.address)):
        check.problem(
            router.path,
            f"{router.spec.address} again; line {check.line(*first.path)} has it already",
            "a router is declared once in its region",
            "remove one of the two",
        )
    machines: list[Placed[Host | FabricPeer]] = [*routers, *check.hosts()]
    for other, host in repeated(machines, lambda machine: machine.spec.address):
        if isinstance(host.spec, Host):
            owner = f"host '{other.name}'" if other.name else f"a fabric peer of region '{other.region}'"
            line = check.line(*other.path, "address") if other.name else check.line(*other.path)
            check.problem(
                (*host.path, "address"),
                f"{host.spec.address}, the address of {owner} (line {line})",
                "every machine and router has an address of its own",
                "give one of them another address",
            )


def hosts_lie_in_their_machine_network(check: Check) -> None:
    """A host's address is one of its region's machine network: nodes and routers are neighbours there."""
    regions = check.environment.regions
    elsewhere = set(_networks_of_other_machines(check))
    for host in check.hosts():
        address, network = host.spec.address, regions[host.region].machine_network
        if network is None or host.region in elsewhere:
            continue
        where = f"(line {check.line('regions', host.region, 'machineNetwork')})"
        if address not in network:
            others = [
                name
                for name, spec in regions.items()
                if spec.machine_network and address in spec.machine_network
            ]
            check.problem(
                (*host.path, "address"),
                str(address),
                f"a host's address lies in the machine network {network} of its region '{host.region}' "
                f"{where}",
                f"move the host to region '{others[0]}', whose network holds it"
                if others
                else f"choose one of {network}; or, where its machines share no network, leave "
                f"`machineNetwork` of region '{host.region}' out, and declare `tunnels`",
            )
        elif network.prefixlen < 31 and address in (network.network_address, network.broadcast_address):
            check.problem(
                (*host.path, "address"),
                str(address),
                f"the first and the last address of {network} {where} belong to no host",
                "choose another",
            )


def _networks_of_other_machines(check: Check) -> Iterator[str]:
    """Regions in whose network none of several hosts lies, which is said once: that is what is wrong."""
    networks = {name: spec.machine_network for name, spec in check.environment.regions.items()}
    for name, network in networks.items():
        addresses = [host.spec.address for host in check.hosts() if host.region == name]
        if network is None or len(addresses) < 2:
            continue
        if any(address in other for address in addresses for other in networks.values() if other):
            continue
        theirs = IPv4Network((min(addresses), 30), strict=False)
        while max(addresses) not in theirs:
            theirs = theirs.supernet()
        check.problem(
            ("regions", name, "machineNetwork"),
            f"{network}, in which none of its hosts lies",
            f"the machines of region '{name}' are neighbours in it: {addresses[0]} and the others",
            f"write the network that they are in, such as {theirs}; or, where they share none, leave it out, "
            "and declare `tunnels`",
        )
        yield name


def profiles_exist(check: Check) -> None:
    """A host's profile is declared: without its settings the machine would come up wrong, if at all."""
    fix = "declare it under `hostProfiles`, or remove the line"
    for node in check.nodes():
        if node.spec.profile is not None:
            check.refers((*node.path, "profile"), node.spec.profile, "profile", "hostProfiles", fix)


def hosts_can_be_reached(check: Check) -> None:
    """Where there are machines there is `ssh`: hosts are set up over it, with checked host keys."""
    first = next(check.hosts(), None)
    if first is not None and check.environment.ssh is None and check.intact("ssh"):
        check.problem(
            ("ssh",),
            "nothing",
            f"hosts such as '{first.name}' (line {check.line(*first.path)}) are reached by ssh",
            "add `ssh` with `privateKeyFile` and `knownHostsFile`",
        )


def hosts_have_one_way(check: Check) -> None:
    """What is reached directly names no jump host beside it: one of the two is not meant."""
    for path, login in check.environment.logins():
        if isinstance(login, Login) and login.direct and login.jump:
            check.problem(
                (*path, "direct"),
                "true, and a jump host beside it",
                "hosts are reached directly or through `jump`",
                "remove one of the two",
            )


def _named_before(
    check: Check, key: str, entries: Iterable[AptSource | Registry]
) -> Iterator[tuple[KeyPath, str, int]]:
    """Each name in a list of `sources` that another entry has: where, the name, and the other one's line."""
    for (before, _), (index, entry) in repeated(enumerate(entries), lambda one: one[1].name):
        yield ("sources", key, index, "name"), entry.name, check.line("sources", key, before, "name")


def apt_sources_have_names_of_their_own(check: Check) -> None:
    """A source's name is its file's on every host: of two with one name the second replaces the first."""
    for path, name, line in _named_before(check, "apt", check.environment.sources.apt):
        check.problem(
            path,
            f"the name '{name}' again; line {line} has it already",
            "each apt source has a name of its own",
            "rename one",
        )


def apt_sources_are_of_known_distributions(check: Check) -> None:
    """A source is for hosts of a distribution that the roles know: for another one it would be nobody's."""
    known = releases.distributions()
    for index, source in enumerate(check.environment.sources.apt):
        if source.distribution and source.distribution not in known:
            check.problem(
                ("sources", "apt", index, "distribution"),
                source.distribution,
                f"hosts run one of: {', '.join(known)}",
                suggestion(source.distribution, known, "write one of these, or remove the line"),
            )


def apt_sources_have_the_declared_kubernetes(check: Check) -> None:
    """The Kubernetes project's repository is of the minor version that nodes run: it has no other."""
    wanted = {
        releases.minor(check.environment.versions_of(region).kubernetes or "")
        for region, _ in check.bare_metal()
    }
    for index, source in enumerate(check.environment.sources.apt):
        found = re.search(r":/v(\d+\.\d+)/", source.uri)
        if found and wanted and found[1] not in wanted:
            minor = max(wanted)
            check.problem(
                ("sources", "apt", index, "uri"),
                f"the repository of v{found[1]}",
                f"nodes run Kubernetes {' and '.join(sorted(wanted))}, and each minor version has its own",
                f"write {source.uri.replace(f':/v{found[1]}/', f':/v{minor}/')}",
            )


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


def registries_stand_once(check: Check) -> None:
    """A registry stands once: its files on hosts bear its name, and the second would replace the first."""
    for path, name, line in _named_before(check, "registries", check.environment.sources.registries):
        check.problem(
            path,
            f"the registry {name} again; line {line} has it already",
            "a registry is declared once",
            "put mirror, login and caFile into one entry",
        )


def registries_say_something(check: Check) -> None:
    """A registry has a mirror, a login or an authority: with none it is reached as if it did not stand there.

    Docker Hub's certificates are everybody's, so that an authority for it would be its mirror's.
    """
    for index, registry in enumerate(check.environment.sources.registries):
        path = ("sources", "registries", index)
        if not check.intact(*path):
            continue
        if not (registry.mirror or registry.login or registry.ca_file):
            check.problem(
                path,
                f"{registry.name} and nothing about it",
                "a registry has `mirror`, `login` or `caFile`",
                "add one of them, or remove the entry",
            )
        if registry.name == DOCKER_HUB and registry.ca_file:
            check.problem(
                (*path, "caFile"),
                f"an authority for {DOCKER_HUB}",
                "a mirror's authority stands with the mirror",
                "declare the mirror's host as a registry of its own, with this `caFile`",
            )


RULES = (
    registries_stand_once,
    registries_say_something,
    host_names_are_unique,
    addresses_are_unique,
    hosts_lie_in_their_machine_network,
    profiles_exist,
    hosts_can_be_reached,
    hosts_have_one_way,
    apt_sources_have_names_of_their_own,
    apt_sources_name_their_components,
    apt_sources_are_of_known_distributions,
    apt_sources_have_the_declared_kubernetes,
)
