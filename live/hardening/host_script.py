# ruff: noqa: PTH116, PTH118, PTH119, PTH207, SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""Modes, owners, flags and settings of a host, read by its own python3 (3.6 or later, standard library only).

Sent over ssh. It changes nothing and judges nothing. What an order names is told and nothing else: of a file
its mode and owner, of a program those of its flags, of kubelet's files those of their settings. No key and
no content of a secret leaves the host.
"""

import glob
import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys

LIMIT = 1048576  # bytes of a file
MANIFESTS = "/etc/kubernetes/manifests"
KUBELET = "/var/lib/kubelet/config.yaml"
ARGUMENT = re.compile(r"^\s*-\s+(['\"]?)--([\w-]+)(?:=(.*?))?\1\s*$", re.MULTILINE)
SETTING = re.compile(r"^([A-Za-z]\w*)\s*:")
SECRET = re.compile(r"token|password|passphrase|secret|credential|private")
IN_URL = re.compile(r"(://)[^/@\s]+@")
PROVIDER = re.compile(r"providers\"?\s*:(?:\s|#[^\n]*\n|[-\[{])*\"?(\w+)")
CATCH_ALL = re.compile(
    r"^\s*-\s+level:\s*[\"']?(?:Metadata|Request|RequestResponse)[\"']?\s*(?:#.*)?\Z", re.MULTILINE
)
# With all that is further in than it; in JSON, up to the end of the text.
ANONYMOUS = re.compile(r"^\s*\{?\s*\"?anonymous\"?\s*:((?:.*\n)(?:[ \t-].*\n|\s*\n)*)", re.MULTILINE)
ALLOWED = re.compile(r"[\s{,\-\"]path\"?\s*:\s*[\"']?([^\s\"',}]+)")
DISABLED = re.compile(r"enabled\"?\s*:\s*[\"']?false")
ISSUER = re.compile(r"[\s{,\-\"]issuer\"?\s*:")
SSHD = ("/usr/sbin/sshd", "-T")
SECONDS = 5  # for sshd


def main():
    order = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    sys.stdout.write(json.dumps(answer(order)) + "\n")


def answer(order):
    """What is there of what an order names, below its root, which is empty for the host's own."""
    root, flags = order["root"], order["flags"]
    programs = {name: manifest(root, name) for name in flags if name != "kubelet"}
    programs["kubelet"] = process(root, "kubelet")
    server = dict(programs.get("kube-apiserver") or ())
    return {
        "files": {pattern: files(root, pattern) for pattern in order["files"]},
        "arguments": {
            name: [[flag, shown(flag, value)] for flag, value in pairs if flag in flags.get(name, ())]
            for name, pairs in programs.items()
            if pairs is not None
        },
        "kubelet": settings(root, dict(programs["kubelet"] or ()), order["settings"]),
        "sshd": {} if root else sshd(order["sshd"]),
        "sysctls": sysctls(root, order["sysctls"]),
        "encryption": providers(root, server.get("encryption-provider-config")),
        "audit": audited(root, server.get("audit-policy-file"), order["audited"]),
        "authentication": authenticated(root, server.get("authentication-config")),
    }


def read(path):
    """The beginning of a file; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LIMIT)
    except OSError:
        return None


def files(root, pattern):
    """Path, mode and owner of each file of a pattern, sorted; what a link leads to stands for it."""
    found = {}
    for path in glob.glob(root + pattern, recursive=True):
        try:
            status = os.stat(path)
        except OSError:
            continue
        real = os.path.realpath(path)
        found[real] = [path[len(root) :].rstrip("/"), f"{stat.S_IMODE(status.st_mode):04o}", owner(status)]
    return sorted(found.values())


def owner(status):
    """user:group, by name where they have one."""
    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = str(status.st_uid)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return user + ":" + group


def manifest(root, name):
    """Flags of a program that kubelet starts by a manifest, in their order; None where there is none."""
    text = read(os.path.join(root + MANIFESTS, name + ".yaml"))
    if text is None:
        return None
    return [(flag, "true" if value is None else value) for _, flag, value in argued(text)]


def argued(text):
    """Quote, name and value of each argument; None for the value of one that stands alone."""
    return [match.groups() for match in ARGUMENT.finditer(text)]


def process(root, name):
    """Flags of the service's main process, in their order; None where it does not run.

    Its control group tells it from a program of the same name in a pod.
    """
    for directory in glob.glob(root + "/proc/[0-9]*"):
        words = (read(directory + "/cmdline") or "").split("\0")
        groups = (read(directory + "/cgroup") or "").splitlines()
        if os.path.basename(words[0]) == name and any(
            line.endswith("/" + name + ".service") for line in groups
        ):
            return pairs(words[1:])
    return None


def pairs(words):
    """Name and value of each flag of a command line."""
    known = []
    for index, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, given, value = word[2:].partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        if not given:
            value = following if following and not following.startswith("-") else "true"
        known.append((name, value))
    return known


def shown(flag, value):
    """A value without what may be secret in it: paths are told, words of secrets are not."""
    value = IN_URL.sub(r"\1…@", value)
    harmless = value.startswith("/") or value in ("", "true", "false") or value.isdigit()
    return "…" if SECRET.search(flag) and not harmless else value


def settings(root, flags, names):
    """Of each of kubelet's files, in the order in which they count, the settings of these names."""
    paths = [root + flags.get("config", KUBELET)]
    if "config-dir" in flags:
        paths += sorted(glob.glob(root + flags["config-dir"] + "/**/*.conf", recursive=True))
    return [named(text, names) for text in map(read, paths) if text is not None]


def named(text, names):
    """Those settings at the top of a file that have one of these names, with all that is below them."""
    try:
        document = json.loads(text)
        return json.dumps({name: document[name] for name in names if name in document})
    except (TypeError, ValueError):
        pass
    kept, keeping = [], False
    for line in text.splitlines():
        match = SETTING.match(line)
        if match or line.startswith("---"):
            keeping = match is not None and match.group(1) in names
        if keeping:
            kept.append(line)
    return "\n".join(kept)


def sshd(names):
    """Settings of sshd as they are in effect for root, those that are for everybody also by default.

    Where both differ, both are told. Nothing where sshd does not say.
    """
    for_root, by_default = sshd_says("-C", "user=root,host=localhost,addr=127.0.0.1"), sshd_says()
    settings = {}
    for name in names:
        said = (
            [for_root.get(name)] if name == "permitrootlogin" else [for_root.get(name), by_default.get(name)]
        )
        values = sorted({value for value in said if value is not None})
        if values:
            settings[name] = ",".join(values)
    return settings


def sshd_says(*options):
    """All settings by their names in small letters, as sshd prints them."""
    try:
        done = subprocess.run(
            SSHD + options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = (line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {name.lower(): value for name, _, value in lines}


def sysctls(root, names):
    """Settings of the running kernel, those that it has."""
    values = {name: read(root + "/proc/sys/" + name.replace(".", "/")) for name in names}
    return {name: value.strip() for name, value in values.items() if value is not None}


def providers(root, path):
    """By what the API server encrypts what it writes: the first name of each list, and no key."""
    text = read(root + path) if path else None
    return None if text is None else PROVIDER.findall(text)


def authenticated(root, path):
    """How many issuers of tokens an authentication configuration has, and what whoever says nothing of
    himself may ask for: paths, `*` for all; None where a flag decides that."""
    text = read(root + path) if path else None
    if text is None:
        return None
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = ANONYMOUS.search("\n".join(lines) + "\n")
    anonymous = None
    if found:
        paths = ALLOWED.findall(found.group(1)) or ["*"]
        anonymous = [] if DISABLED.search(found.group(1)) else paths
    return {"issuers": len(ISSUER.findall("\n".join(lines))), "anonymous": anonymous}


def audited(root, path, words):
    """Which of these words an audit policy has, and `*` where its last rule is for everything."""
    text = read(root + path) if path else None
    if text is None:
        return None
    rest = ["*"] if CATCH_ALL.search(text.rstrip()) else []
    return [word for word in words if re.search(r"[\"'\s\[,]" + re.escape(word) + r"[\"'\s\],]", text)] + rest


if __name__ == "__main__":
    main()
