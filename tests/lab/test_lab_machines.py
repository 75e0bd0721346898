"""The lab itself, on real machines: it starts, heals what was killed, keeps its promises, leaves nothing.

A small lab of its own, with two regions of one machine each, one of them with Debian 13.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab import cgroups, fabric, lifecycle, network, ssh
from lab.machine import Machine
from lab.paths import RUN_DIR, state_dir

NAME = "lab-test"
ROOT = Path(__file__).resolve().parents[2]
_SPEC = """
regions: {one: [one-a], two: [{name: two-a, suite: trixie}]}
fabric: {asn: 65000, acceptedPrefixes: [172.30.0.0/16]}
system:
  suite: bookworm
  packages: [ca-certificates, dbus, iproute2, kmod, openssh-server, procps, python3-apt, python3-minimal,
             sudo, systemd, systemd-sysv, usr-is-merged]
mirror: {packages: [bird2, gpgv]}
"""
_PEER = """
router id {own};
protocol device {{}}
protocol static {{ ipv4; route 172.30.1.0/24 blackhole; route 10.9.0.0/24 blackhole; }}
protocol bgp fabric {{
  local as 65101; neighbor {router} as 65000;
  ipv4 {{ import all; export where source = RTS_STATIC; }};
}}
"""


def _lab(*argv: str) -> subprocess.CompletedProcess[str]:
    """The command that users run."""
    return subprocess.run(
        [sys.executable, "-m", "lab", argv[0], "--name", NAME, *argv[1:]],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def _run(machine: str, script: str) -> str:
    """Output of a shell script on a machine; fails the test when the script fails."""
    done = _lab("exec", machine, "--", "sh", "-ec", script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _left() -> list[str]:
    """Everything of the lab that is to be seen on this computer."""
    where = lab.addresses(NAME)
    found = [f"process {pid}" for pid in cgroups.processes(NAME)]
    found += [f"group {path}" for top in cgroups.hierarchies() for path in top.glob(f"crossmesh/{NAME}")]
    mine = [state_dir(NAME), RUN_DIR / "labs" / NAME, network.NETNS_DIR / where.namespace]
    mine += [Path("/sys/class/net") / where.host_interface, state_dir(NAME).with_name(f".{NAME}.lock")]
    mine += Path("/run/systemd/nspawn").glob(f"propagate/{NAME}-*")
    found += [str(path) for path in mine if path.exists()]
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    prefix = where.network.rsplit(".", 2)[0] + "."
    found += [line for line in routes.splitlines() if prefix in line]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{NAME}/" in line]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"labs/{NAME}/" in text:
            found.append(text)
    return found


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Description of the small lab."""
    path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(_SPEC)
    return path


@pytest.fixture(scope="module")
def running(spec: Path) -> Iterator[dict[str, Machine]]:
    """The small lab, running; its machines by name. Stopped at the end, with nothing left."""
    assert _left() == []
    try:
        started = _lab("start", "--no-mirror", "--spec", str(spec))
        assert started.returncode == 0, started.stderr
        yield {machine.name: machine for machine in lifecycle.machines(NAME, lifecycle.described(NAME))}
    finally:
        lab.stop(NAME)
    assert _left() == []


def _manager(machine: Machine) -> int:
    """Process id of a machine's container manager."""
    for pid in cgroups.processes(NAME, machine.name):
        # Short-lived processes of the machine may end while we look.
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd-nspawn":
                return pid
    raise AssertionError(f"{machine.name} does not run")


def test_machines_are_bare_and_their_own(running: dict[str, Machine]) -> None:
    seen = {}
    for name in running:
        out = _run(name, "hostname; cat /etc/machine-id; systemctl is-system-running; ls /usr/bin /usr/sbin")
        words = out.split()
        assert words[0] == name
        assert words[2] == "running"
        assert not {"containerd", "iptables", "nft", "kubelet"} & set(words)
        seen[name] = words[1]
    assert len(set(seen.values())) == len(running)


def test_the_clock_cannot_be_set(running: dict[str, Machine]) -> None:
    assert _lab("exec", "one-a", "--", "date", "-s", "2001-01-01").returncode != 0


def test_kernel_interfaces_are_writable_and_the_machines_group_is_the_root(
    running: dict[str, Machine],
) -> None:
    script = """
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ! [ -e /proc/sys/net/bridge ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
    for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
        if [ -e "$top/cgroup.procs" ]; then mkdir "$top/probe" && rmdir "$top/probe"; fi
    done
    modprobe overlay
    """
    _run("one-a", script)
    groups = [line.split(":", 2) for line in _run("one-a", "cat /proc/self/cgroup").splitlines()]
    assert groups
    assert not [path for _, _, path in groups if "crossmesh" in path or path.startswith("/..")]


def test_regions_and_this_computer_reach_each_other(running: dict[str, Machine]) -> None:
    where = lab.addresses(NAME)
    connect = "import socket,sys; socket.create_connection((sys.argv[1], 22), 5).recv(4)"
    for source, target in (("one-a", "two-a"), ("two-a", "one-a")):
        _run(source, f"python3 -c '{connect}' {where.machines[target]}")
    listener = subprocess.Popen(
        [sys.executable, "-c",
         "import socket,sys; s=socket.create_server((sys.argv[1],0)); print(s.getsockname()[1],flush=True); "
         "s.settimeout(20); c,a=s.accept(); c.sendall(b'SSH-'); print(a[0],flush=True)", where.host],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert listener.stdout is not None
    port = int(listener.stdout.readline())
    _run("one-a", f"python3 -c '{connect.replace('22', str(port))}' {where.host}")
    # No address is translated on the way.
    assert listener.stdout.readline().strip() == where.machines["one-a"]
    assert listener.wait(20) == 0


def test_a_host_key_that_is_not_the_labs_is_refused(running: dict[str, Machine], tmp_path: Path) -> None:
    machine = running["one-a"]
    wrong = tmp_path / "known_hosts"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True, timeout=20
    )
    wrong.write_text(f"{machine.address} {(tmp_path / 'key.pub').read_text()}")
    argv = [
        f"UserKnownHostsFile={wrong}" if word.startswith("UserKnownHostsFile=") else word
        for word in ssh.command(machine.state, machine.address, ["true"])
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 255
    assert "host key" in done.stderr.lower()


def test_the_router_takes_prefixes_of_the_pool_and_refuses_others(running: dict[str, Machine]) -> None:
    """A BGP peer at the machine's address: BIRD of this computer, in the machine's network namespace."""
    machine = running["one-a"]
    where = lab.addresses(NAME)
    state = state_dir(NAME)
    config = state / "peer.conf"
    config.write_text(_PEER.format(own=machine.address, router=where.regions["one"].router))
    inner = Path(f"/proc/{_manager(machine)}/task/{_manager(machine)}/children").read_text().split()[0]
    peer = subprocess.Popen(
        ["nsenter", "-t", inner, "-n", "bird", "-f", "-c", str(config), "-s", str(state / "peer.ctl")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while "172.30.1.0/24" not in (routes := fabric.show(state, "show", "route")):
            assert time.monotonic() < deadline, routes
            time.sleep(0.5)
        assert f"via {machine.address}" in routes
        assert "10.9.0.0/24" not in routes
        kernel = ["ip", "-netns", where.namespace, "route", "show", "172.30.1.0/24"]
        assert machine.address in subprocess.run(kernel, capture_output=True, text=True, check=True).stdout
        assert "refused 10.9.0.0/24" in (state / "fabric/bird.log").read_text()
    finally:
        peer.terminate()
        peer.wait(10)


def test_start_leaves_running_machines_alone_and_starts_killed_pieces_again(
    running: dict[str, Machine],
) -> None:
    _run("two-a", "echo kept >/root/mark")
    before = _manager(running["one-a"])
    os.kill(_manager(running["two-a"]), signal.SIGKILL)
    for pid in cgroups.processes(NAME, fabric.GROUP):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while running["two-a"].booted() or fabric.running(lab.addresses(NAME)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    status = _lab("status", "--json")
    assert status.returncode == 1
    found = json.loads(status.stdout)
    assert found["machines"]["one-a"]["running"] is True
    assert found["machines"]["two-a"]["running"] is False
    assert found["fabric"] is False
    again = _lab("start", "--no-mirror")
    assert again.returncode == 0, again.stderr
    assert _manager(running["one-a"]) == before
    assert _run("two-a", "cat /root/mark").strip() == "kept"
    assert fabric.running(lab.addresses(NAME))


def test_a_machine_starts_while_the_kernel_still_has_the_network_of_one_that_was_killed(
    running: dict[str, Machine],
) -> None:
    """As it has for a moment on a busy computer: here, somebody holds it."""
    outside = Path(f"/proc/{_manager(running['two-a'])}/ns/net")
    inside = next(
        namespace
        for pid in cgroups.processes(NAME, "two-a")
        if not (namespace := Path(f"/proc/{pid}/ns/net")).samefile(outside)
    )
    with inside.open("rb"):
        cgroups.kill(NAME, "two-a")
        again = _lab("start", "--no-mirror")
    assert again.returncode == 0, again.stderr
    assert _run("two-a", "hostname").strip() == "two-a"


_LEAVE_GROUPS = "for top in /sys/fs/cgroup/*/; do mkdir -p $top/kubepods/pod-1/container-1 || true; done"
"""Groups in every hierarchy, as containers have them; nobody ends those when a machine goes down."""


def _groups_left(machine: str) -> list[Path]:
    pattern = f"crossmesh/{NAME}/{machine}/kubepods"
    return [path for top in cgroups.hierarchies() for path in top.glob(pattern)]


def test_a_machine_comes_back_from_a_reboot_without_groups_of_its_containers(
    running: dict[str, Machine],
) -> None:
    boot = _manager(running["two-a"])
    _run("two-a", _LEAVE_GROUPS)
    assert _groups_left("two-a")
    _lab("exec", "two-a", "--", "systemctl", "reboot")
    deadline = time.monotonic() + 60
    while _lab("exec", "two-a", "--", "true").returncode != 0 or _manager(running["two-a"]) == boot:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert not _groups_left("two-a")


def test_a_machine_that_was_powered_off_starts_without_groups_of_its_containers(
    running: dict[str, Machine],
) -> None:
    _run("one-a", _LEAVE_GROUPS)
    _lab("exec", "one-a", "--", "systemctl", "poweroff")
    deadline = time.monotonic() + 60
    while running["one-a"].booted():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert _groups_left("one-a")
    again = _lab("start", "--no-mirror")
    assert again.returncode == 0, again.stderr
    assert not _groups_left("one-a")


def test_a_killed_start_can_be_repeated_and_stopped(running: dict[str, Machine], spec: Path) -> None:
    # Earlier and earlier in the work: while machines boot, while directories are copied, at the very start.
    for moment in (3.0, 1.5, 0.7):
        lab.stop(NAME)
        assert _left() == []
        start = subprocess.Popen(
            [sys.executable, "-m", "lab", "start", "--name", NAME, "--no-mirror", "--spec", str(spec)],
            cwd=ROOT, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moment)
        start.kill()
        start.wait()
    again = _lab("start", "--no-mirror", "--spec", str(spec))
    assert again.returncode == 0, again.stderr
    assert _run("one-a", "hostname").strip() == "one-a"


def test_the_mirror_installs_its_signed_packages_and_a_forged_index_is_refused(
    running: dict[str, Machine],
) -> None:
    started = _lab("start")
    assert started.returncode == 0, started.stderr
    mirror = lab.addresses(NAME).mirror
    fetch = "import sys,urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())"
    for machine, suite in (("one-a", "bookworm"), ("two-a", "trixie")):
        _run(machine, f"""
            get() {{ python3 -c '{fetch}' "http://{mirror}/$1"; }}
            . /etc/os-release && [ "$VERSION_CODENAME" = {suite} ]
            get apt/archive-keyring.asc >/usr/share/keyrings/mirror.asc
            get apt/archive-keyring.gpg >/root/mirror.gpg
            printf 'Types: deb\\nURIs: http://{mirror}/apt\\nSuites: {suite}\\nComponents: main\\n' \\
                >/etc/apt/sources.list.d/mirror.sources
            echo 'Signed-By: /usr/share/keyrings/mirror.asc' >>/etc/apt/sources.list.d/mirror.sources
            apt-get update --error-on=any
            export DEBIAN_FRONTEND=noninteractive
            apt-get install --yes --no-install-recommends bird2 gpgv kubectl kubelet
            bird --version && kubectl version --client && kubelet --version
            get images/SHA256SUMS >/root/SHA256SUMS
            get images/SHA256SUMS.asc >/root/SHA256SUMS.asc
            gpgv --keyring /root/mirror.gpg /root/SHA256SUMS.asc /root/SHA256SUMS
            get images/tools.tar >/root/tools.tar
            cd /root && sha256sum --check --ignore-missing SHA256SUMS
        """)  # fmt: skip
    index = state_dir(NAME) / "mirror/apt/dists/bookworm/InRelease"
    forged = index.read_text().replace("Label: Lab mirror", "Label: Not it")
    # A new file: the old one is a hard link into the cache of all labs.
    index.unlink()
    index.write_text(forged)
    refused = _lab("exec", "one-a", "--", "apt-get", "update", "--error-on=any")
    assert refused.returncode != 0
    assert "BADSIG" in refused.stdout + refused.stderr


def test_stop_after_kill_of_everything_leaves_nothing(running: dict[str, Machine], spec: Path) -> None:
    for machine in running.values():
        os.kill(_manager(machine), signal.SIGKILL)
    stopped = _lab("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert _left() == []
    assert _lab("stop").returncode == 0
