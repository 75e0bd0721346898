# ruff: noqa: PTH103, PTH118, SIM105, SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""The lock by which runbooks and `pulumi up` exclude each other, on a host: taken, kept alive or given back.

Sent over ssh and run by the host's own python3 (3.6 or later, standard library alone). The host's clock
alone says how old a lock is. Each holder after another gets a higher number, so that one who was away too
long finds that it is not the holder any more.

One call does one thing; with `stays` it goes on, and takes each word of its input for a heartbeat, until its
input ends: a holder that dies gives the lock back.
"""

import fcntl
import json
import os
import select
import signal
import time

LIMIT = 16384  # bytes of a lock file


def main():
    order = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    answer = act(order, order["do"])
    tell(answer)
    if not order.get("stays") or not answer["held"]:
        return
    for name in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    follows = order["do"] == "follow"
    order.update(number=answer["number"], again=False)
    # Without a word for as long as the lock lives, it is free anyway.
    while select.select([0], [], [], order["seconds"])[0] and os.read(0, 4096):
        answer = act(order, "follow" if follows else "keep")
        tell(answer)
        if not answer["held"]:
            return
    if not follows:
        act(order, "give back")


def act(order, do):
    """Look at the lock, and change it as the order says; return what is told of it."""
    os.makedirs(order["directory"], 0o755, exist_ok=True)
    descriptor = os.open(
        os.path.join(order["directory"], "runbook"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        # Held for a moment only, by whoever looks at the file's content.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            found = json.loads(os.read(descriptor, LIMIT).decode() or "{}")
        except ValueError:
            found = {}
        if do != "take":
            return proceed(descriptor, order, do, found)
        plays = os.open(
            os.path.join(order["directory"], "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
        try:
            return take(descriptor, order, found, plays)
        finally:
            os.close(plays)
    finally:
        os.close(descriptor)


def take(descriptor, order, found, plays):
    """Take the lock. plays: the lock that a play holds while it changes the host."""
    now = time.time()
    alive = bool(found.get("run")) and 0 <= now - found.get("beat", 0) <= order["seconds"]
    other = found.get("run") != order["run"]
    # The same run, gone on with by another process, takes over at once: the number tells the first one.
    if alive and other:
        return refused(found)
    if order["heeds_plays"]:
        try:
            # Shared, as who only looks has it too. A play that begins meanwhile waits, and finds this lock.
            fcntl.flock(plays, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return at_work(plays)
    mine = not other and found.get("holder") == order["holder"]
    number = found.get("number", 0) + (0 if mine and alive else 1)
    answer = {"held": True, "number": number}
    # Whoever gave it back has left no run: this one was killed, or its computer went away.
    if found.get("run") and other:
        answer["before"] = refused(found)
    write(descriptor, holding(order, number))
    return answer


def holding(order, number):
    """What a lock says that is held from now on."""
    return dict(order["who"], run=order["run"], holder=order["holder"], number=number, since=time.time())


def proceed(descriptor, order, do, found):
    """Keep the lock alive, give it back, or only follow whether somebody holds it for the run."""
    same = found.get("run") == order["run"] and found.get("number", 0) == order["number"]
    if order.get("again") and not found.get("run") and found.get("number", 0) == order["number"]:
        # It was given back when the connection broke, and the number says that nobody has held it since.
        same, found = True, holding(order, order["number"])
    if do == "follow":
        return {"held": True, "number": order["number"]} if same else refused(found)
    # Who goes on after a broken connection does so under another name, so that what may be left of the first
    # one gives nothing back.
    if not same or (found.get("holder") != order["holder"] and not order.get("again")):
        return refused(found)
    found["holder"] = order["holder"]
    write(descriptor, {"number": found["number"]} if do == "give back" else found)
    return {"held": True, "number": order["number"]}


def refused(found):
    """Who holds it, since when, and how long ago he was heard of."""
    now = time.time()
    told = {name: found.get(name, "") for name in ("run", "owner", "what")}
    return dict(
        told,
        held=False,
        number=found.get("number", 0),
        age=now - found.get("beat", 0),
        since=now - found.get("since", now),
    )


def at_work(plays):
    """Who changes the host by a play."""
    try:
        found = json.loads(os.pread(plays, LIMIT, 0).decode())
    except ValueError:
        found = {}
    now = time.time()
    told = {name: found.get(name, "") for name in ("run", "owner")}
    since = now - found.get("since", now)
    return dict(told, held=False, play=True, age=now - os.fstat(plays).st_mtime, since=since)


def write(descriptor, content):
    """Put the lock's new content, of now, in the place of the old one."""
    content["beat"] = time.time()
    text = json.dumps(content).encode()
    os.lseek(descriptor, 0, 0)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text)
    os.fsync(descriptor)


def tell(answer):
    """Write one answer; a reader that is gone is no reason to stop before the lock is given back."""
    try:
        os.write(1, (json.dumps(answer) + "\n").encode())
    except OSError:
        pass


main()
