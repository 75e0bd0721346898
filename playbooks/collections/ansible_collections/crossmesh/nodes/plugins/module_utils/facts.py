# ruff: noqa: B905, PTH110, PTH112, PTH115, PTH119, PTH208
"""What is on a host, looked at and never changed: what apt would do, and all that a preflight judges.

The operator's side sends this file to hosts as it is, before anything is installed there: it needs Python 3.8
and its standard library alone. It judges nothing. What could not be looked at is None or empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Facts = dict[str, Any]
    """In JSON types."""

INSTALL = ("apt-get", "-q", "--no-install-recommends", "install")
SERVICES = (
    "cri-docker",
    "crio",
    "docker",
    "firewalld",
    "k0scontroller",
    "k0sworker",
    "k3s",
    "k3s-agent",
    "kubelet",
    "rke2-agent",
    "rke2-server",
    "snap.microk8s.daemon-kubelite",
)
"""Units that say that somebody lives here already."""
RUNTIME_PACKAGES = ("containerd", "containerd.io", "runc")
"""Packages of the container runtime, by whichever makers."""
CNI_SUFFIXES = (".conf", ".conflist", ".json")
"""Of the files in which container runtimes look for a network."""
UPDATE_SECONDS = 60
"""For the lists of all software sources."""
MIRROR_SECONDS = 15
"""Without a byte from the mirror of image bundles."""
_STEP = re.compile(r"^(Inst|Remv|Purg) (\S+)(?: \[([^]]*)\])?(?: \((\S+))?", re.M)
_HOOK = re.compile(r"(APT::Update|DPkg)::(Pre|Post)-", re.I)
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_LISTENING = "0A"


def run(*command: str, environment: dict[str, str] | None = None, timeout: float = 300) -> Any:
    """Run a program and keep what it says. One that is not there has said so with status 127."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=environment,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 124, "", f"{command[0]} did not end within {timeout:.0f} s"
        )


def environment(**more: str) -> dict[str, str]:
    """Variables for apt: plain words, no questions, and no services that something else starts anew."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "NEEDRESTART_SUSPEND": "1"}
    return {**os.environ, **quiet, **more}


# -- Packages


def wanted(names: list[str], installed: dict[str, str]) -> list[str]:
    """Those of `names` (`name` or `name=pattern`) that are not installed, or in another version."""
    parts = [(name, *name.partition("=")[::2]) for name in names]
    return [
        name
        for name, package, pattern in parts
        if package not in installed or (pattern and not fnmatch.fnmatchcase(installed[package], pattern))
    ]


def changes(said: str, held: list[str]) -> Facts:
    """What `apt-get --simulate` says that it would do.

    Returns `installs` (name: version before, empty where it is new, and after), `removes`, and `held`: those
    of the held packages that it would change or remove, sorted.
    """
    steps = _STEP.findall(said)
    installs = {name: [before, after] for verb, name, before, after in steps if verb == "Inst"}
    removes = sorted({name for verb, name, _, _ in steps if verb != "Inst"} - set(installs))
    touched = {name for name, (before, _) in installs.items() if before} | set(removes)
    return {"installs": installs, "removes": removes, "held": sorted(touched & set(held))}


def unnamed(planned: Facts, replaceable: list[str]) -> tuple[list[str], list[str]]:
    """Packages that would be removed, and held ones that would be changed, and that nobody has named."""
    removes = [name for name in planned["removes"] if name not in replaceable]
    return removes, [name for name in planned["held"] if name not in (*replaceable, *removes)]


def simulated(names: list[str], **variables: str) -> Facts:
    """What installing `names` would do to this host, and in `error` why it cannot be done.

    `there` are the versions of those that are installed. `halved` are packages whose unpacking was broken
    off: apt takes one of the wanted version for installed, and dpkg has nothing to configure of it, but its
    files are missing. `carrying` are those that would be removed while containers of pods run by them.
    """
    listed = run("dpkg-query", "-W", "-f", r"${db:Status-Status} ${Package} ${Version}\n").stdout
    rows = [line.split(" ") for line in listed.splitlines()]
    installed = {row[1]: row[2] for row in rows if row[0] == "installed"}
    halved = {row[1]: row[2] for row in rows if row[0] == "half-installed" and row[2]}
    held = run("apt-mark", "showhold", environment=environment(**variables)).stdout.split()
    missing = wanted(names, installed)
    there = {name: installed[name] for name in (one.partition("=")[0] for one in names) if name in installed}
    known = {"there": there, "halved": halved}
    if not missing:
        return {**changes("", held), **known, "carrying": [], "error": ""}
    options = ("-o", "Debug::NoLocking=1", "--simulate")
    done = run(*INSTALL, *options, *missing, environment=environment(**variables))
    error = done.stderr.strip() if done.returncode else ""
    planned = changes(done.stdout, held)
    in_use = RUNTIME_PACKAGES if containers().get("k8s.io") else ()
    carrying = [name for name in planned["removes"] if name in in_use]
    return {**planned, **known, "carrying": carrying, "error": error}


def software(order: Facts) -> Facts:
    """The way to the software sources, and what installing from them would do: in a directory of its own,
    with the declared sources where there are any, and the host's own where there are none."""
    with tempfile.TemporaryDirectory(prefix="crossmesh-") as name:
        where = {"APT_CONFIG": apart(Path(name), order)}
        begun = time.monotonic()
        update = run("apt-get", "-q", "update", environment=environment(**where), timeout=UPDATE_SECONDS)
        seconds = time.monotonic() - begun
        # Of a source that does not answer, apt only warns.
        errors = [line for line in update.stderr.splitlines() if line.startswith(("E:", "W:"))]
        failed = [line for line in errors if update.returncode or "Failed to fetch" in line]
        if update.returncode and not failed:
            failed = [update.stderr.strip() or f"apt-get update ended with {update.returncode}"]
        mirror = {"seconds": round(seconds, 1), "errors": failed}
        planned = None if failed else simulated(order["packages"], **where)
        return {"mirror": mirror, "packages": planned}


def apart(scratch: Path, order: Facts) -> str:
    """Write settings with which apt leaves the host as it is; return their path.

    They are the host's own (its architectures, its proxy where none is declared), without hooks, which would
    write elsewhere.
    """
    # apt fetches as a user of its own.
    scratch.chmod(0o755)
    for part in ("lists", "cache", "preferences"):
        (scratch / part).mkdir()
    own = run("apt-config", "dump", environment=environment()).stdout.splitlines()
    settings = [line for line in own if not _HOOK.match(line)]
    values = {
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::PreferencesParts": scratch / "preferences",
        "Acquire::Retries": "0",
        "Acquire::http::Timeout": "15",
        "Acquire::https::Timeout": "15",
        # What is dumped is all of it.
        "Dir::Etc::Main": scratch / "none",
        "Dir::Etc::Parts": scratch / "none",
    }
    for file in Path("/etc/apt/preferences.d").glob("*"):
        if file.is_file() and file.name != "crossmesh":
            shutil.copy(file, scratch / "preferences")
    if order.get("pins_file"):
        (scratch / "preferences" / "crossmesh").write_text(order["pins_file"])
    if sources := declared_sources(order, release()):
        (scratch / "declared.sources").write_text(sources)
        values.update({"Dir::Etc::SourceList": scratch / "declared.sources", "Dir::Etc::SourceParts": "-"})
    settings += [f'{key} "{value}";' for key, value in values.items()]
    settings.append(order.get("proxy_file") or "")
    (scratch / "apt.conf").write_text("\n".join(settings) + "\n")
    return str(scratch / "apt.conf")


def declared_sources(order: Facts, known: Facts) -> str:
    """The declared sources for this host's distribution, as apt reads them; empty where none are declared."""
    texts: dict[str, str] = order.get("sources_files") or {}
    return texts.get(f"{known['id']}-{known['version']}") or texts.get("", "")


def bundles(order: Facts) -> Facts:
    """Names of the image bundles that a mirror lists, and in `error` why it cannot be read.

    order: its `base_url`, and `proxies` by scheme.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(order["proxies"]))
    try:
        with opener.open(f"{order['base_url'].rstrip('/')}/SHA256SUMS", timeout=MIRROR_SECONDS) as answer:
            lines = answer.read().decode(errors="replace").splitlines()
    except (OSError, ValueError) as error:
        return {"listed": [], "error": str(error)}
    names = [line.partition(" ")[2].lstrip(" *") for line in lines]
    return {"listed": sorted(name[:-4] for name in names if name.endswith(".tar")), "error": ""}


# -- The machine


def read(path: str) -> str:
    """The file's text; empty where it cannot be read."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def release() -> Facts:
    """What the host says that it is: `id`, `version` and `name` of os-release(5)."""
    values = dict(line.split("=", 1) for line in read("/etc/os-release").splitlines() if "=" in line)
    plain = {key: value.strip("\"'") for key, value in values.items()}
    return {
        "id": plain.get("ID", ""),
        "version": plain.get("VERSION_ID", ""),
        "name": plain.get("PRETTY_NAME", ""),
    }


def machine() -> Facts:
    """Kernel, processors, memory (MiB), free room of the disks (GiB) by directory, and active swap."""
    memory = re.search(r"^MemTotal:\s+(\d+) kB", read("/proc/meminfo"), re.M)
    room = {}
    for directory in ("/", "/var", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"):
        if os.path.isdir(directory):
            room[directory] = round(shutil.disk_usage(directory).free / 2**30, 1)
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory": int(memory.group(1)) // 1024 if memory else None,
        "room": room,
        "swap": [line.split()[0] for line in read("/proc/swaps").splitlines()[1:]],
        "systemd": os.path.isdir("/run/systemd/system"),
    }


def clock() -> Facts:
    """The host's time, seconds since the epoch, and whether something keeps it right."""
    try:
        # Reads only: the first word of the structure, the modes, is zero.
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        state = -1
    return {"now": time.time(), "synchronized": None if state < 0 else state != _TIME_ERROR}


def cgroups(root: str = "/sys/fs/cgroup") -> Facts:
    """Version of the control groups, and which controllers there are."""
    controllers = read(f"{root}/cgroup.controllers").split()
    if controllers or os.path.exists(f"{root}/cgroup.controllers"):
        return {"version": 2, "controllers": controllers}
    there = sorted(entry.name for entry in Path(root).iterdir()) if os.path.isdir(root) else []
    return {"version": 1, "controllers": there}


def kernel(modules: list[str], sysctls: list[str]) -> Facts:
    """Kernel modules that are not loaded, or cannot be had; settings of ours, each with its value (None: the
    kernel has none) and whether it can be set; and what sets them anew after our own file."""
    unloaded = [name for name in modules if not os.path.isdir(f"/sys/module/{name.replace('-', '_')}")]
    missing = [name for name in unloaded if run("modprobe", "--dry-run", name).returncode != 0]
    paths = {name: f"/proc/sys/{name.replace('.', '/')}" for name in sysctls}
    settings = {
        name: [" ".join(read(path).split()) if os.path.exists(path) else None, os.access(path, os.W_OK)]
        for name, path in paths.items()
    }
    later: list[list[str]] = []
    for path in [*sorted(Path("/etc/sysctl.d").glob("*.conf")), Path("/etc/sysctl.conf")]:
        # sysctl --system reads by name, and /etc/sysctl.conf last.
        if path.name > "90-crossmesh.conf" or path.name == "sysctl.conf":
            for line in read(str(path)).splitlines():
                key, _, value = (part.strip() for part in line.partition("="))
                if key.lstrip("-").replace("/", ".") in sysctls:
                    later.append([str(path), key.lstrip("-"), value])
    kept = {"unloaded_modules": unloaded, "settings": settings}
    return {"missing_modules": missing, "later_sysctls": later, **kept}


# -- Who lives here


def services() -> list[str]:
    """Those of `SERVICES` that run."""
    said = run("systemctl", "is-active", *SERVICES).stdout.split()
    return [name for name, state in zip(SERVICES, said) if state in ("active", "activating", "reloading")]


def containers() -> dict[str, int]:
    """Containers that run, by containerd's namespace: Docker's is `moby`, kubelet's `k8s.io`."""
    counted: dict[str, int] = {}
    for _, words in processes():
        if words and os.path.basename(words[0]).startswith("containerd-shim") and "-namespace" in words:
            namespace = words[words.index("-namespace") + 1]
            counted[namespace] = counted.get(namespace, 0) + 1
    return counted


def processes() -> Iterator[tuple[str, list[str]]]:
    """Every process: its directory in /proc, and its command line."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield f"/proc/{name}", read(f"/proc/{name}/cmdline").split("\0")[:-1]


def listeners() -> list[Facts]:
    """Who listens: `protocol`, `address` (hexadecimal, as the kernel has it), `port`, and the `program`."""
    sockets: dict[str, Facts] = {}
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in read(f"/proc/net/{protocol}").splitlines()[1:]:
            fields = line.split()
            if protocol.startswith("udp") or fields[3] == _LISTENING:
                address, _, port = fields[1].partition(":")
                entry = {"protocol": protocol[:3], "address": address, "port": int(port, 16), "program": ""}
                sockets[f"socket:[{fields[9]}]"] = entry
    for directory, words in processes():
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"{directory}/fd"):
                with contextlib.suppress(OSError):
                    socket = sockets.get(os.readlink(f"{directory}/fd/{descriptor}"))
                    if socket is not None and not socket["program"]:
                        socket["program"] = os.path.basename(words[0].rstrip(":")) if words else ""
    return sorted(sockets.values(), key=lambda entry: (entry["port"], entry["protocol"], entry["program"]))


def policies(chains: str, iptables: str) -> list[list[str]]:
    """Chains that drop what no rule takes: family, table, hook.

    chains: what `nft -j list chains` says. iptables: what `iptables -S` says, where there is no nft.
    """
    found = []
    with contextlib.suppress(ValueError):
        for entry in json.loads(chains or "{}").get("nftables", []):
            chain = entry.get("chain") or {}
            if chain.get("policy") == "drop" and chain.get("hook") in ("input", "forward", "output"):
                found.append([chain["family"], chain["table"], chain["hook"]])
    dropping = re.findall(r"^-P (INPUT|FORWARD|OUTPUT) DROP$", iptables, re.M)
    found += [["ip", "filter", hook.lower()] for hook in dropping]
    return [list(each) for each in sorted({tuple(each) for each in found})]


def firewall() -> Facts:
    """Firewalls that are switched on, and what their chains drop."""
    chains = run("nft", "-j", "list", "chains").stdout if shutil.which("nft") else ""
    # Listing a legacy table would load it into the kernel.
    loaded = "filter" in read("/proc/net/ip_tables_names").split()
    through_nft = "nf_tables" in run("iptables", "--version").stdout
    iptables = run("iptables", "-S").stdout if loaded or (through_nft and not chains) else ""
    ufw = re.search(r"^ENABLED=yes$", read("/etc/ufw/ufw.conf"), re.M | re.I)
    return {"ufw": bool(ufw), "drops": policies(chains, iptables)}


def files() -> Facts:
    """Files of a cluster, a container runtime and CNI plugins."""
    known = {
        "member": "/var/lib/kubelet/config.yaml",
        "ours": "/etc/kubernetes/kubelet.conf.d/50-host.conf",
        "k3s": "/var/lib/rancher/k3s",
        "rke2": "/var/lib/rancher/rke2",
        "k0s": "/var/lib/k0s",
        "microk8s": "/var/snap/microk8s",
        "tunnels": "/etc/wireguard/crossmesh.conf",
    }
    there = {name: os.path.exists(path) for name, path in known.items()}
    plugins = [path.name for path in Path("/etc/cni/net.d").glob("*") if path.suffix in CNI_SUFFIXES]
    return {**there, "cni": sorted(plugins)}


def facts(order: Facts) -> Facts:
    """Look at everything.

    order: `packages` (names as apt has them; none leaves apt alone), `sources_files` (by distribution, an
    entry for all others under the empty name; none for the host's own) and `pins_file`, texts that apt reads,
    `modules` and `sysctls` (names), `images` (as `bundles` takes it; none where there are no bundles).
    """
    found = {
        "uid": os.getuid(),
        "clock": clock(),
        "release": release(),
        "machine": machine(),
        "cgroups": cgroups(),
        "kernel": kernel(order.get("modules") or [], order.get("sysctls") or []),
        "services": services(),
        "containers": containers(),
        "listeners": listeners(),
        "firewall": firewall(),
        "files": files(),
        "images": bundles(order["images"]) if order.get("images") else None,
    }
    return {**found, **(software(order) if order.get("packages") else {"mirror": None, "packages": None})}
