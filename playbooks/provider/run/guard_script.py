# ruff: noqa: PTH102, PTH103, PTH118, PTH208, UP031, SIM105, SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""The guard of one run, on the host: holds the host's lock, and ends what the run left when nobody wants it.

Sent over ssh and run by the host's own python3 (3.6 or later, standard library alone). It reads one line of
JSON, then heartbeats. When its input ends, or no heartbeat comes, its operator is gone: every process that
has the run's mark in its environment is ended, and the lock is free only after that.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time

MARK = "CROSSMESH_RUN"
HEARTBEAT_TIMEOUT = 20.0  # seconds without a heartbeat until the operator counts as gone
LOCK_TIMEOUT = 30.0  # seconds to wait for a lock whose holder may be cleaning up
GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def main():
    for name in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    request = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    base, run = request["directory"], request["run"]
    os.makedirs(base, 0o755, exist_ok=True)
    lock = os.open(os.path.join(base, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    acquire(lock, request["shared"], request["look_timeout"])
    if not request["shared"]:
        heed(base, request["hold"], request["hold_seconds"])
    directory = os.path.join(base, "run-" + run)
    ended = 0
    try:
        if not request["shared"]:
            take_over(base, lock, request)
        interpreter = furnish(directory, run)
        tell(event="locked", python=interpreter, directory=directory)
        if not attend(lock):
            ended = end_processes(run)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if not request["shared"]:
            os.ftruncate(lock, 0)
    tell(event="ended", processes=ended)


def acquire(lock, shared, look_timeout):
    """Take the lock, or tell who holds it and leave.

    look_timeout: seconds to wait for those that only look, previews, which end by themselves.
    """
    begun = time.monotonic()
    beats, beat = 0, None
    while True:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            # Who only looks writes nothing down.
            owner = os.pread(lock, 4096, 0).decode(errors="replace")
            seen = os.fstat(lock).st_mtime_ns
            if beat is None:
                tell(event="waiting", owner=owner)
            elif seen != beat:
                beats += 1
            beat = seen
            # Two heartbeats of who changes the host: it is alive, and waiting for it is not our business.
            waited = time.monotonic() - begun
            if (beats > 1 or waited > LOCK_TIMEOUT) if owner else waited > look_timeout:
                tell(event="held", owner=owner)
                sys.exit(0)
        else:
            return
        if select.select([0], [], [], 0.25)[0] and not os.read(0, 4096):
            sys.exit(0)


def heed(base, hold, seconds):
    """Leave where a runbook of somebody else has the host, and where the lock that this run goes by is gone.

    Runbooks look at this run's own lock before they take theirs (access/host_lock_script.py), so that of two
    who come at once one is refused.
    """
    try:
        descriptor = os.open(os.path.join(base, "runbook"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        found = {}
    else:
        # Held for a moment by whoever writes it.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            found = json.loads(os.read(descriptor, 16384).decode() or "{}")
        except ValueError:
            found = {}
        os.close(descriptor)
    now = time.time()
    age = now - found.get("beat", 0)
    alive = bool(found.get("run")) and 0 <= age <= seconds
    mine = bool(hold.get("run")) and found.get("run") == hold["run"]
    number = hold.get("number")
    # By its number alone: a play may set this host's clock, and who took it meanwhile has another one.
    lost = bool(number) and not (mine and found.get("number") == number)
    if lost or (alive and not mine):
        told = {name: found.get(name, "") for name in ("run", "owner", "what")} if alive else {}
        tell(event="barred", lost=lost, age=age, since=now - found.get("since", now), **told)
        sys.exit(0)


def take_over(base, lock, request):
    """End what a run before this one could not end itself, and write down who holds the lock now."""
    try:
        before = json.loads(os.pread(lock, 4096, 0).decode())["run"]
    except (ValueError, KeyError, TypeError):
        before = None
    if before:
        tell(event="taken over", processes=end_processes(before), run=before)
    for name in os.listdir(base):
        if name.startswith("run-"):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
    os.ftruncate(lock, 0)
    holder = {"run": request["run"], "owner": request["owner"], "since": time.time()}
    os.pwrite(lock, json.dumps(holder).encode(), 0)


def furnish(directory, run):
    """Make the run's directory, for temporary files, with an interpreter that marks whatever it starts."""
    user, group = int(os.environ.get("SUDO_UID", os.getuid())), int(os.environ.get("SUDO_GID", os.getgid()))
    os.mkdir(directory, 0o700)
    interpreter = os.path.join(directory, "python3")
    descriptor = os.open(interpreter, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    with os.fdopen(descriptor, "w") as file:
        file.write('#!/bin/sh\n%s=%s exec %s "$@"\n' % (MARK, run, sys.executable))
    os.chown(interpreter, user, group)
    os.chown(directory, user, group)
    return interpreter


def attend(lock):
    """Return True when the run says that it has ended, False when nobody is there to say anything."""
    last, text = time.monotonic(), b""
    while time.monotonic() - last < HEARTBEAT_TIMEOUT:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        data = os.read(0, 4096)
        if not data:
            return False
        last, text = time.monotonic(), (text + data)[-16:]
        os.utime(lock)
        if b"end\n" in text:
            return True
    return False


def end_processes(run):
    """End all processes of `run`, first gently; return how many there were."""
    ended, deadline, force = set(), time.monotonic() + 15, time.monotonic() + GRACE
    while time.monotonic() < deadline:
        alive = processes_of(run)
        if not alive:
            break
        for pid in alive:
            if pid not in ended or time.monotonic() > force:
                try:
                    os.kill(pid, signal.SIGTERM if time.monotonic() < force else signal.SIGKILL)
                except OSError:
                    pass
        ended |= alive
        time.sleep(0.1)
    return len(ended)


def processes_of(run):
    """Return the processes with the run's mark, and all that they started, without this one's ancestors."""
    parents, marked, mark = {}, set(), (MARK + "=" + run).encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            with open("/proc/%s/environ" % name, "rb") as file:
                environment = file.read().split(b"\0")
        except OSError:
            continue
        if fields[0] in (b"Z", b"X"):
            continue
        parents[int(name)] = int(fields[1])
        if mark in environment:
            marked.add(int(name))
    line, pid = set(), os.getpid()
    while pid in parents:
        line.add(pid)
        pid = parents[pid]
    while True:
        more = {pid for pid, parent in parents.items() if parent in marked} - marked
        if not more:
            return marked - line
        marked |= more


def tell(**event):
    """Write one event; a reader that is gone is no reason to stop."""
    try:
        os.write(1, (json.dumps(event) + "\n").encode())
    except OSError:
        pass


main()
