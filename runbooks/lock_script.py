# ruff: noqa: PTH103, PTH118, SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""The lock of a runbook, on a host: taken, kept alive or given back by one call each.

Sent over ssh and run by the host's own python3 (3.6 or later, standard library alone). The host's clock
alone says how old a lock is. Each holder after another gets a higher number, so that one who was away too
long finds that it is not the holder any more.
"""

import fcntl
import json
import os
import sys
import time

LIMIT = 16384  # bytes of a lock file


def main():
    order = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    directory = order["directory"]
    os.makedirs(directory, 0o755, exist_ok=True)
    descriptor = os.open(os.path.join(directory, "runbook"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # Held for a moment only, by whoever looks at the file's content.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        found = json.loads(os.read(descriptor, LIMIT).decode() or "{}")
    except ValueError:
        found = {}
    now = time.time()
    age = now - found.get("beat", 0)
    # A clock that was set back makes a beat of the future: it counts as old.
    alive = bool(found.get("run")) and 0 <= age <= order["seconds"]
    mine = found.get("run") == order["run"] and found.get("holder") == order["holder"]
    number = found.get("number", 0)
    if order["do"] == "take":
        # The same run, gone on with by another process, takes over at once: the number tells the first one.
        if alive and found["run"] != order["run"]:
            tell(held=False, owner=found.get("owner", ""), age=age, number=number)
            return
        number += 0 if mine and alive else 1
        found = dict(order["who"], run=order["run"], holder=order["holder"], number=number, since=now)
    elif not mine or number != order["number"]:
        tell(held=False, owner=found.get("owner", ""), age=age, number=number)
        return
    elif order["do"] == "give back":
        found = {"number": number}
    found["beat"] = now
    content = json.dumps(found).encode()
    os.lseek(descriptor, 0, 0)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, content)
    os.fsync(descriptor)
    tell(held=True, number=number)


def tell(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


main()
