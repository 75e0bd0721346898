"""What a host's facts mean: pure, one function for each check.

A refusal keeps `up` from changing any host; a warning does not. Each says what is there, what would come of
it and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

import releases
from playbooks.preflight import software
from playbooks.preflight.expected import Expected
from playbooks.preflight.problem import Facts, Problem, listed
from playbooks.work.clusters import API_PORT
from report.model import Finding, Rule, Severity, Status

OWN_NETWORK = "10-crossmesh.conflist"
RUNTIMES = ("cri-docker", "crio", "docker")
DISTRIBUTIONS_OF_KUBERNETES = (
    "k0scontroller",
    "k0sworker",
    "k3s",
    "k3s-agent",
    "rke2-agent",
    "rke2-server",
    "snap.microk8s.daemon-kubelite",
)
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}
"""That kubelet needs: its own list, pkg/kubelet/cm."""
KUBEADM_MEMORY, KUBEADM_CORES = 1700, 2
"""MiB and processors that kubeadm wants of a control plane: its preflight checks Mem and NumCPU."""
LITTLE_MEMORY = 1024
"""MiB below which a node has no room for the platform's own pods."""
ROOM = {True: (2.0, 10.0), False: (0.3, 1.0)}
"""GiB free, for nodes and others: below the first it cannot be set up, below the second not for long. Images
and etcd's database (at most 2 GiB) are the most of it."""
NO_ROOM = 0.1
"""GiB below which nothing can be changed on a host that was set up either."""
SKEW = (2.0, 300.0)
"""Seconds: above the first logs mislead, above the second certificates made now are not valid there yet
(`CLOCK_SKEW` in playbooks/provider/tls.py)."""
NODE_PORTS = {179: "BGP", 10248: "kubelet", 10249: "kube-proxy", 10250: "kubelet", 10256: "kube-proxy"}
CONTROL_PLANE_PORTS = {
    2379: "etcd",
    2380: "etcd",
    API_PORT: "the API server",
    10257: "the controller manager",
    10259: "the scheduler",
}
OWN_PROGRAMS = ("bird", "etcd", "gdnsd", "kube", "kubelet")
_EVERYWHERE = ("00000000", "0" * 32)
_HELP = (
    "A host that is refused keeps `up` from changing any. docs/guides/hosts.md says what refuses, what warns."
)


@dataclass(frozen=True)
class Check:
    """One thing that is looked at."""

    name: str
    title: str
    look: Callable[[Facts, Expected], Iterator[Problem]]
    final: bool = False
    """Whether nobody may overrule it."""

    @property
    def rule(self) -> Rule:
        return Rule(f"preflight/{self.name}", self.title, _HELP)


def judge(host: str, facts: Facts, expected: Expected) -> list[Finding]:
    """What stands against a host, check by check; a check that found nothing passes."""
    findings = []
    for check in CHECKS:
        problems = list(check.look(facts, expected))
        findings += [_finding(host, check, problem, expected) for problem in problems]
        if not problems:
            findings.append(Finding(check.rule.id, Status.PASS, "", measured=host))
    return findings


def refusals(findings: Sequence[Finding]) -> list[Finding]:
    """Those that keep a host from being changed."""
    return [finding for finding in findings if finding.stops]


def name_of(finding: Finding) -> str:
    """The check's short word."""
    return finding.rule.partition("/")[2]


def _finding(host: str, check: Check, problem: Problem, expected: Expected) -> Finding:
    accepted = problem.refuses and check.name in expected.accept and not check.final
    words = f"{host}: {problem.words}" + ("; accepted by the declaration" if accepted else "")
    may = problem.refuses and not accepted and not check.final
    fix = f"{problem.fix}; or use it as it is: `accept: [{check.name}]`" if may else problem.fix
    severity = Severity.ERROR if problem.refuses and not accepted else Severity.WARNING
    return Finding(check.rule.id, Status.FAIL, words, severity, fix=fix, measured=host)


def _distribution(facts: Facts, expected: Expected) -> Iterator[Problem]:
    release, known = facts["release"], releases.distributions()
    if f"{release['id']}-{release['version']}" not in known:
        names = listed([entry.name for entry in known.values()])
        yield Problem(
            f"it runs {release['name'] or 'a system that does not say its name'}; packages and paths are "
            f"known of {names} alone",
            "install one of these",
        )
    if not facts["machine"]["systemd"]:
        yield Problem("it was not started by systemd, which all services run under", "start it with systemd")


def _runtime(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if not expected.is_node:
        return
    running = [name for name in facts["services"] if name in RUNTIMES]
    containers = {
        namespace: count
        for namespace, count in facts["containers"].items()
        if namespace != "k8s.io" or not facts["files"]["ours"]
    }
    if running or containers:
        counted = [f"{count} in {namespace}" for namespace, count in sorted(containers.items())]
        what = listed(running) or "containerd"
        also = f", with containers: {listed(counted)}" if counted else ""
        yield Problem(
            f"{what} runs here for something else{also}; containerd would be configured anew and restarted",
            "move what runs in it to another machine, and remove it",
        )


def _kubelet(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if not expected.is_node:
        return
    files = facts["files"]
    running = [name for name in facts["services"] if name in DISTRIBUTIONS_OF_KUBERNETES]
    if running:
        yield Problem(
            f"{listed(running)} runs: two kubelets share neither ports nor the packet filter",
            "uninstall it, with the script that came with it",
        )
    elif ("kubelet" in facts["services"] and not files["ours"]) or (files["member"] and not files["ours"]):
        yield Problem(
            "it is, or was, a node of a cluster that was made otherwise",
            "take it out of that cluster: kubeadm reset",
        )
    left = [name for name in ("k0s", "k3s", "microk8s", "rke2") if files[name]]
    if left and not running:
        yield Problem(
            f"{listed(left)} is installed and does not run; started, it would take ports and packet filter",
            "uninstall it",
            refuses=False,
        )


def _cni(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if not expected.is_node:
        return
    others = [name for name in facts["files"]["cni"] if name != OWN_NETWORK]
    if first := [name for name in others if name < OWN_NETWORK]:
        yield Problem(
            f"/etc/cni/net.d has {listed(first)}: containerd takes the first file by name, and pods would "
            "be in that network",
            "remove the other network with its own tools, then the file",
        )
    if later := [name for name in others if name > OWN_NETWORK]:
        yield Problem(f"/etc/cni/net.d has {listed(later)}, which stays unused", "remove it", refuses=False)


def _firewall(facts: Facts, expected: Expected) -> Iterator[Problem]:
    drops = facts["firewall"]["drops"]
    services = {"ufw": facts["firewall"]["ufw"], "firewalld": "firewalld" in facts["services"]}
    names = [name for name, is_on in services.items() if is_on]
    hooks = {hook for _, _, hook in drops}
    where = listed([*names, *(f"{family} {table} {hook}" for family, table, hook in drops)])
    if expected.is_node and (names or "forward" in hooks):
        yield Problem(
            f"a firewall drops what it forwards ({where}): pods of other nodes would not be reached",
            "switch it off, or let it accept the pod pool in both directions (forward), and ports of nodes",
        )
    elif names or hooks & {"input", "output"}:
        ports = f"TCP 179, {API_PORT} and 10250" if expected.is_node else "UDP and TCP 53"
        ports = f"{ports}, and UDP {expected.tunnel_port}" if expected.tunnel_port else ports
        led = ", ".join(map(str, expected.gateway_ports))
        ports = f"{ports}; for clients, TCP {led}" if led else ports
        yield Problem(
            f"a firewall drops by default ({where}); {ports} must get through",
            "let it accept these",
            refuses=False,
        )


def _swap(facts: Facts, expected: Expected) -> Iterator[Problem]:
    swap = facts["machine"]["swap"]
    if expected.is_node and swap and expected.setting("failSwapOn") is not False:
        yield Problem(
            f"swap is on ({listed(swap)}): kubelet does not start",
            "switch it off, now (swapoff -a) and in /etc/fstab, or declare `failSwapOn: false` for kubelet",
        )


def _clock(facts: Facts, expected: Expected) -> Iterator[Problem]:
    skew = facts["clock"].get("skew") or 0.0
    if abs(skew) > SKEW[0]:
        ahead = "ahead of" if skew > 0 else "behind"
        yield Problem(
            f"its clock is {abs(skew):.0f} s {ahead} this machine's: certificates, tokens and logs go by it",
            "set it right, and let NTP keep it so (systemd-timesyncd, chrony)",
            refuses=abs(skew) > SKEW[1],
        )
    if facts["clock"]["synchronized"] is False:
        yield Problem(
            "nothing keeps its clock right: the kernel says that it is not synchronized",
            "install systemd-timesyncd or chrony",
            refuses=False,
        )


def _disks(facts: Facts, expected: Expected) -> Iterator[Problem]:
    least, little = ROOM[expected.is_node]
    wanted = ("/var/lib/containerd", "/var/lib/kubelet", "/var", "/") if expected.is_node else ("/var", "/")
    room = facts["machine"]["room"]
    scarce = {directory: room[directory] for directory in wanted if room.get(directory, little) < little}
    if scarce:
        shown = listed([f"{free:g} GiB on {directory}" for directory, free in scarce.items()])
        yield Problem(
            f"only {shown} free: {'images and logs' if expected.is_node else 'logs'} fill it",
            f"make room: {little:g} GiB",
            refuses=min(scarce.values()) < (NO_ROOM if facts["files"]["ours"] else least),
        )


def _memory(facts: Facts, expected: Expected) -> Iterator[Problem]:
    memory = facts["machine"]["memory"]
    if memory is None or not expected.is_node:
        return
    if expected.role == "control-plane" and memory < KUBEADM_MEMORY and "Mem" not in expected.ignore:
        yield Problem(
            f"{memory} MiB of memory: kubeadm makes no control plane with less than {KUBEADM_MEMORY}",
            "give it more, or declare `kubeadmIgnorePreflight: [Mem]` in its profile",
        )
    elif memory < LITTLE_MEMORY:
        yield Problem(f"{memory} MiB of memory: pods will be evicted", "give it more", refuses=False)


def _cores(facts: Facts, expected: Expected) -> Iterator[Problem]:
    cores = facts["machine"]["cores"] or KUBEADM_CORES
    if expected.role == "control-plane" and cores < KUBEADM_CORES and "NumCPU" not in expected.ignore:
        yield Problem(
            f"{cores} processor: kubeadm makes no control plane with less than {KUBEADM_CORES}",
            "give it more, or declare `kubeadmIgnorePreflight: [NumCPU]` in its profile",
        )


def _kernel(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if missing := facts["kernel"]["missing_modules"]:
        yield Problem(
            f"the kernel {facts['machine']['kernel']} has no {listed(missing)}",
            "install the distribution's own kernel with its modules (a cloud's smallest one lacks some)"
            + (
                "; for wireguard alone, `userspaceTunnels` of a host profile"
                if "wireguard" in missing
                else ""
            ),
        )
    wanted = {name: str(value) for name, value in (expected.variables.get("base_sysctls") or {}).items()}
    # A setting that is not there may come with a module.
    may_come = bool(facts["kernel"]["unloaded_modules"])
    fixed = [
        name
        for name, (value, is_writable) in facts["kernel"]["settings"].items()
        if value != wanted.get(name, value) and not is_writable and not (value is None and may_come)
    ]
    if fixed:
        yield Problem(
            f"the kernel does not let {listed(fixed)} be set",
            "see what makes /proc/sys read-only, or lacks the setting; where the host is a container, have "
            f"its own host set {listed(f'{name}={wanted[name]}' for name in fixed)}",
        )
    for file, name, value in facts["kernel"]["later_sysctls"]:
        if wanted.get(name.replace("/", "."), value) != value:
            yield Problem(
                f"{file} sets {name} to {value} at each boot, after ours",
                f"take the line out, or set {wanted[name.replace('/', '.')]} there",
                refuses=False,
            )


def _cgroups(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if not expected.is_node:
        return
    groups = facts["cgroups"]
    if groups["version"] == 1:
        yield from _version_1(expected)
    missing = sorted(CONTROLLERS - set(groups["controllers"]))
    if groups["version"] == 2 and missing:
        yield Problem(
            f"the kernel keeps {listed(missing)} from control groups: kubelet does not start",
            "take cgroup_disable= out of the kernel's command line",
        )


def _version_1(expected: Expected) -> Iterator[Problem]:
    """What is against control groups of version 1: kubeadm 1.35 refuses them whatever its kubelet is told."""
    told, given_up = expected.setting("failCgroupV1"), bool(expected.default("failCgroupV1"))
    other, passed = "boot with systemd.unified_cgroup_hierarchy=1", "SystemVerification" in expected.ignore
    kubelet = "`failCgroupV1: false` for kubelet"
    kubeadm = "`kubeadmIgnorePreflight: [SystemVerification]`"
    if told is not False:
        refuses = given_up or bool(told)
        which = "its kubelet" if refuses else "Kubernetes gives them up, kubelet 1.35"
        declare = f"{kubelet} and {kubeadm}" if given_up and not passed else kubelet
        words = f"control groups of version 1: {which} does not start with them"
        yield Problem(words, f"{other}, or declare {declare} in its profile", refuses=refuses)
    elif given_up and not passed:
        words = "control groups of version 1: kubeadm refuses them, whatever kubelet is told"
        yield Problem(words, f"{other}, or declare {kubeadm} in its profile")


def _ports(facts: Facts, expected: Expected) -> Iterator[Problem]:
    wanted = dict(NODE_PORTS) if expected.is_node else {53: "the name server"}
    if expected.role == "control-plane":
        wanted |= CONTROL_PLANE_PORTS
    own = {_hexadecimal(expected.address), *_EVERYWHERE}
    for entry in facts["listeners"]:
        what = wanted.get(entry["port"])
        is_ours = entry["program"].startswith(OWN_PROGRAMS)
        # A name server answers at one address; others may answer at other ones.
        beside = not expected.is_node and entry["address"] not in own
        if what and not is_ours and not beside and (entry["protocol"] == "tcp" or not expected.is_node):
            yield Problem(
                f"{entry['program'] or 'something'} listens at {entry['protocol'].upper()} {entry['port']}, "
                f"which {what} needs",
                "stop it and keep it off",
            )

    in_the_way = {
        (entry["port"], entry["program"] or "something")
        for entry in facts["listeners"]
        if entry["protocol"] == "tcp" and entry["port"] in expected.gateway_ports and entry["address"] in own
    }
    for port, program in sorted(in_the_way):
        yield Problem(
            f"{program} listens at TCP {port}, where clients would reach the region's gateway instead of it",
            "stop it, have it listen at another port, or leave the node out of `gatewayNodes`",
        )

    # A tunnel of the kernel's is nobody's program.
    ours = ("", "wireguard-go") if facts["files"]["tunnels"] else ()
    at_tunnels = {
        entry["program"]
        for entry in facts["listeners"]
        if (entry["protocol"], entry["port"]) == ("udp", expected.tunnel_port)
    }
    for program in sorted(at_tunnels.difference(ours)):
        yield Problem(
            f"{program or 'another tunnel of WireGuard'} listens at UDP {expected.tunnel_port}, which "
            "tunnels need",
            "stop it and keep it off, or declare another `tunnels.port`",
        )


def _database(facts: Facts, expected: Expected) -> Iterator[Problem]:
    if found := facts.get("database"):
        yield from software.database(found, facts["clock"]["now"])


def _hexadecimal(address: str) -> str:
    """An IPv4 address as /proc/net has it."""
    return IPv4Address(address).packed[::-1].hex().upper() if address else ""


CHECKS = (
    Check("distribution", "The roles are written for the host's distribution", _distribution),
    Check("runtime", "No other container runtime is at work", _runtime),
    Check("kubelet", "The host is a node of no other cluster", _kubelet),
    Check("cni", "Pods get no other network", _cni),
    Check("firewall", "No firewall stands between nodes", _firewall),
    Check("ports", "The ports that are needed are free", _ports),
    Check("swap", "Swap is off", _swap),
    Check("clock", "The clock is right, and kept so", _clock),
    Check("disks", "There is room on the disks", _disks),
    Check("memory", "There is enough memory", _memory),
    Check("cores", "There are enough processors", _cores),
    Check("kernel", "The kernel has what is needed, and keeps its settings", _kernel),
    Check("cgroups", "Control groups are as kubelet wants them", _cgroups),
    Check("mirror", "The software sources can be read", software.mirror, final=True),
    Check(
        "packages",
        "What is declared can be installed, and nothing goes for it",
        software.packages,
        final=True,
    ),
    Check("images", "The mirror has the image bundles that are needed", software.images, final=True),
    Check(
        "database",
        "The database of countries is there, and the name server can use it",
        _database,
        final=True,
    ),
)
RULES: dict[str, Rule] = {check.name: check.rule for check in CHECKS}
"""The rules of the checks, by their names."""
