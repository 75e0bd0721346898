#!/usr/bin/env python3
"""Stands in for ssh: runs the remote command on this machine, and lets it live on when the client is killed.

The control socket of `-M` is a file; a client that is told to use one that is not there fails, as ssh does.
What the client was told is appended to the file named by XDG_FAKE_SSH_LOG. The address `unreachable.test`
does not answer, and `changed-key.test` has another host key.
"""

import os
import subprocess
import sys
from pathlib import Path

VALUED = set("BbcDEeFIiJLlmOopQRSWw")


def main() -> int:
    arguments = sys.argv[1:]
    if log := os.environ.get("XDG_FAKE_SSH_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(" ".join(arguments) + "\n")
    settings, flags, rest = {}, set(), []
    while arguments:
        word = arguments.pop(0)
        if word.startswith("-") and not rest:
            value = (word[2:] or arguments.pop(0)) if word[1] in VALUED else ""
            if word[1] == "o":
                key, _, setting = value.partition("=")
                settings.setdefault(key, setting)
            flags.add(word[1])
            if word[1] == "S":
                settings["ControlPath"] = value
        else:
            rest.append(word)
    address, command = rest[0], " ".join(rest[1:])
    if address == "unreachable.test":
        print(f"ssh: connect to host {address} port 22: No route to host", file=sys.stderr)
        return 255
    if address == "changed-key.test":
        print("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", file=sys.stderr)
        print("Host key verification failed.", file=sys.stderr)
        return 255
    socket = settings.get("ControlPath")
    if "M" in flags:
        Path(socket).touch()
    elif socket and not Path(socket).exists():
        print("Connection closed by UNKNOWN port 65535", file=sys.stderr)
        return 255
    try:
        return subprocess.run(["/bin/sh", "-c", command], start_new_session=True, check=False).returncode
    finally:
        if "M" in flags:
            Path(socket).unlink()


sys.exit(main())
