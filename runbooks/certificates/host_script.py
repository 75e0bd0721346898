# mypy: allow-untyped-defs, allow-untyped-calls
"""One step of the renewal of certificates, on a host.

Sent over ssh and run by the host's own python3 (3.8 or later, standard library alone), with its order on
standard input. It needs no API server. Private keys leave a host in one case: that of a node whose kubelet
has none that is valid comes from the control plane, through memory and ssh alone.
"""

import base64
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

STATE = "/var/lib/crossmesh"
KUBERNETES = "/etc/kubernetes"
PKI = KUBERNETES + "/pki"
KUBELET = "/var/lib/kubelet/pki"
CURRENT = KUBELET + "/kubelet-client-current.pem"
SERVED = (KUBELET + "/kubelet.crt", KUBELET + "/kubelet.key")
AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
EMBEDDED = re.compile(r"client-(certificate|key)-data: *\"?([A-Za-z0-9+/=]+)\"?")
SECONDS = 5  # for an answer of what runs here
GRACE_SECONDS = 30  # as kubelet allows a pod that says nothing else
POLL = 0.2
PROGRAM_SECONDS = 120
LOG = 8  # lines of a failed program
PR_SET_PDEATHSIG = 1

root = ""


class FailedError(Exception):
    """It could not be done; says why."""


def main():
    with open(0, "rb", 0, closefd=False) as given:
        order = json.loads(given.readline().decode())
    sys.stdout.write(json.dumps(answer(order)) + "\n")


def answer(order):
    """What is said to an order; `problem` where it could not be done."""
    global root
    root = order["root"]
    try:
        return ACTIONS[order["do"]](order) or {}
    except FailedError as error:
        return {"problem": str(error)}
    except OSError as error:
        return {"problem": f"{error.filename or ''}: {error.strerror or error}"}


def at(path):
    """A path of the host."""
    return Path(root + path)


def kept(order, path=""):
    """Where a run keeps what was there, in the same tree."""
    return at(f"{STATE}/certificates-{order['run']}{path}")


@contextlib.contextmanager
def alone():
    """Hold the lock that plays hold too while they run kubeadm here."""
    at(STATE).mkdir(parents=True, exist_ok=True)
    with at(STATE + "/.kubeadm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# -- Looking


def look(order):
    """How this host stands with the run."""
    record = {}
    # By the command that made the control plane here: of several, all but one have joined.
    for mark in ("/join.finished", "/init.finished"):
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(at(STATE + mark).read_text())
    there = running()
    return {
        "now": time.time(),
        "config": record.get("config", ""),
        "keyless": [name for name in AUTHORITIES if not at(f"{PKI}/{name}.key").exists()],
        "kept": bool(order["run"]) and kept(order).is_dir(),
        "unmade": bool(order["run"]) and kept(order, SERVED[0]).exists() and not at(SERVED[0]).exists(),
        "old": sorted({name for name, _ in old(order) & there}),
        "running": sorted({name for name, _ in there}),
        "kubelet": any(name == "kubelet" for name, _, _ in processes()),
    }


def running():
    """The parts of the control plane that run: name of each, and what tells its process from every other."""
    return {
        (name, which)
        for name, which, words in processes()
        # A program of the same name in somebody's pod is none of the control plane.
        if name in PROGRAMS and any("=" + KUBERNETES + "/" in word for word in words)
    }


def processes():
    """Name, what tells it from every other, and arguments of all processes."""
    for path in at("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            # It has ended.
            continue
        # When it was started, in ticks since the machine was (proc(5), field 22).
        yield Path(words[0]).name, f"{path.name} {fields[19]}", words


def old(order):
    """Those that ran when files were made anew."""
    try:
        return {tuple(entry) for entry in json.loads(kept(order, "/old.json").read_text())}
    except (OSError, ValueError):
        return set()


def served(order):
    """By what the API server and etcd serve, proven by the authorities that are here, and whether they do."""
    api = (PKI + "/ca.crt", PKI + "/apiserver-kubelet-client", order["api"])
    store = (PKI + "/etcd/ca.crt", PKI + "/etcd/healthcheck-client", order["etcd"])
    ready = greet(*api, path="/readyz")
    nodes = greet(*api, path="/api/v1/nodes") if ready["status"] == 200 else {}
    return {
        "etcd": greet(*store, path="/health"),
        "kube-apiserver": ready,
        "nodes": well(nodes.get("body", "")),
    }


def greet(authority, client, port, path):
    """Serial number of what answers on a port of this host, and how it answers."""
    serial, status, why, body = "", 0, "", ""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The address is this host's own; the names in it are for others.
        context.check_hostname = False
        context.load_verify_locations(at(authority))
        context.load_cert_chain(at(client + ".crt"), at(client + ".key"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.connect()
            shown = connection.sock.getpeercert() or {}
            serial = str(shown.get("serialNumber", "")).lower().lstrip("0")
            connection.request("GET", path)
            response = connection.getresponse()
            status, body = response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
    if status not in (0, 200):
        why = body[:200]
    return {"serial": serial, "status": status, "why": why, "body": body}


def well(body):
    """Whether each node is Ready."""
    try:
        nodes = json.loads(body)["items"]
    except (ValueError, KeyError):
        return {}
    return {
        node["metadata"]["name"]: any(
            entry["type"] == "Ready" and entry["status"] == "True"
            for entry in node.get("status", {}).get("conditions", ())
        )
        for node in nodes
    }


# -- Changing


def keep(order):
    """Keep what is here, for root alone, and let go of what earlier runs kept. A copy is whole or none."""
    target = kept(order)
    if not target.is_dir():
        new = target.with_name(target.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        for path in (PKI, KUBELET):
            if at(path).is_dir():
                shutil.copytree(at(path), Path(f"{new}{path}"), symlinks=True)
        Path(f"{new}{KUBERNETES}").mkdir(parents=True, exist_ok=True)
        for path in at(KUBERNETES).glob("*.conf"):
            if path.is_file():
                shutil.copy2(path, Path(f"{new}{KUBERNETES}/{path.name}"))
        os.sync()
        new.rename(target)
    for path in target.parent.glob("certificates-*"):
        if path != target:
            shutil.rmtree(path, ignore_errors=True)


def renew(order):
    """Have kubeadm make its certificates anew, all of them, from those that were kept.

    A run that was killed may have left half a file, or a key without its certificate.
    """
    with alone():
        back(order)
        if not kept(order, "/old.json").exists():
            mark(order)
        carry_out(["kubeadm", "certs", "renew", "all", "--config=/dev/stdin"], order["config"])
        os.sync()


def put_back(order):
    """Have kubeadm's files as they were; what runs goes on by the others until it is started anew."""
    with alone():
        back(order)
        mark(order)
        os.sync()


def back(order):
    """kubeadm's files as they were kept, each whole."""
    source = kept(order)
    for path in [*kept(order, PKI).rglob("*"), *kept(order, KUBERNETES).glob("*.conf")]:
        # That one is kubelet's.
        if path.is_file() and path.name != "kubelet.conf":
            own = at(f"/{path.relative_to(source)}")
            own.parent.mkdir(parents=True, exist_ok=True)
            new = own.with_name(own.name + ".crossmesh")
            shutil.copy2(path, new)
            new.replace(own)


def mark(order):
    """Remember what runs by files that are not there any more."""
    write(kept(order, "/old.json"), json.dumps(sorted(running())))


def end(order):
    """End a part of the control plane that runs by earlier files; kubelet starts it anew.

    As the runtime stops a container: it is asked, and ended by force after what kubelet allows a static pod.
    """
    for number, wanted in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, SECONDS)):
        deadline = time.monotonic() + wanted
        told = False
        while there := {which for name, which in old(order) & running() if name == order["name"]}:
            if not told:
                told = True
                for which in there:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(which.split()[0]), number)
            if time.monotonic() > deadline:
                break
            time.sleep(POLL)
        else:
            return
    raise FailedError(f"{order['name']} does not end")


def client(order):
    """A certificate and key by which kubelet of a node shows who it is, PEM."""
    words = ["kubeadm", "kubeconfig", "user", "--config=/dev/stdin", "--org=system:nodes"]
    with alone():
        text = carry_out([*words, f"--client-name=system:node:{order['node']}"], order["config"])
    found = dict(EMBEDDED.findall(text))
    if set(found) != {"certificate", "key"}:
        raise FailedError(f"kubeadm made no client certificate of {order['node']}")
    return {"pem": "".join(base64.b64decode(found[name]).decode() for name in ("certificate", "key"))}


def kubelet(order):
    """Give kubelet what it lacks, and start it anew.

    pem: its client certificate and key; empty for none. serving: whether it shall sign itself a new one.
    """
    if order["pem"]:
        moment = time.strftime("%Y-%m-%d-%H-%M-%S")
        path = f"{KUBELET}/kubelet-client-{moment}.pem"
        write(at(path), order["pem"])
        # Kubelet itself wants a link there.
        link = at(CURRENT + ".crossmesh")
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(Path(path).name)
        link.replace(at(CURRENT))
        config = at(KUBERNETES + "/kubelet.conf")
        text = config.read_text()
        if EMBEDDED.search(text):
            write(config, EMBEDDED.sub(r"client-\1: " + CURRENT, text))
    if order["serving"]:
        # It makes both where none of the two is there.
        for path in SERVED:
            with contextlib.suppress(FileNotFoundError):
                at(path).unlink()
    os.sync()
    carry_out(["systemctl", "restart", "kubelet.service"], "")


def forget(order):
    """Let go of what was kept."""
    shutil.rmtree(kept(order), ignore_errors=True)


def carry_out(command, text):
    """Run a program that gets a text and dies with us; what it says."""

    def die_with_parent():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
            env=dict(os.environ, HOME="/root"),
            preexec_fn=die_with_parent,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"{command[0]} did not end within {PROGRAM_SECONDS} s") from None
    if done.returncode:
        # Of what fails, only complaints are told: what it says else may hold a key.
        words = "; ".join(done.stderr.strip().splitlines()[-LOG:]) or "it said nothing"
        raise FailedError(f"{' '.join(command[:3])} ended with {done.returncode}: {words}")
    return done.stdout


def write(path, text):
    """A file for root alone, whole or as before."""
    new = path.with_name(path.name + ".crossmesh")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


ACTIONS = {
    "look": look,
    "served": served,
    "keep": keep,
    "renew": renew,
    "put back": put_back,
    "end": end,
    "client": client,
    "kubelet": kubelet,
    "forget": forget,
}

if __name__ == "__main__":
    main()
