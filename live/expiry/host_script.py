# ruff: noqa: PTH207, SIM115
# mypy: allow-untyped-defs, allow-untyped-calls
"""Certificates of a host, read by its own python3 (3.6 or later, standard library alone).

Sent over ssh. Of each file, the certificates and the public keys in it are told; nothing else of it leaves
the host.
"""

import base64
import glob
import json
import os
import re
import sys

LIMIT = 1048576  # bytes of a file
PUBLIC = re.compile(r"-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[^-]+-----END \1-----")
EMBEDDED = re.compile(r"^\s*client-certificate-data: *\"?([A-Za-z0-9+/=]+)", re.MULTILINE)
SERVING = re.compile(r"^tlsCertFile: *\"?([^\"\n]+)", re.MULTILINE)
KUBELET = "/var/lib/kubelet/pki"
CURRENT = KUBELET + "/kubelet-server-current.pem"


def main():
    order = json.loads(open(0, "rb", 0, closefd=False).readline().decode())
    sys.stdout.write(json.dumps(answer(order)) + "\n")


def answer(order):
    """What is found below a root, empty for the host's own."""
    return {"found": [told(order["root"], path) for path in paths(order["root"])]}


def paths(root):
    """Paths of what may hold certificates."""
    wanted = ["/etc/kubernetes/pki/sa.pub", *served(root)]
    for pattern in (
        "/etc/kubernetes/pki/**/*.crt",
        "/etc/kubernetes/*.conf",
        KUBELET + "/kubelet-client-current.pem",
        "/etc/containerd/certs.d/*/*.crt",
    ):
        wanted += [path[len(root) :] for path in glob.glob(root + pattern, recursive=True)]
    return sorted(path for path in set(wanted) if os.path.lexists(root + path))


def served(root):
    """Path of the certificate that kubelet serves by: a declared one, one by request, or its own."""
    configured = ""
    drop_ins = sorted(glob.glob(root + "/etc/kubernetes/kubelet.conf.d/*.conf"))
    for path in [root + "/var/lib/kubelet/config.yaml", *drop_ins]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                named = SERVING.findall(file.read(LIMIT))
        except OSError:
            continue
        configured = named[-1].strip() if named else configured
    if configured:
        return [configured]
    return [CURRENT] if os.path.lexists(root + CURRENT) else [KUBELET + "/kubelet.crt"]


def told(root, path):
    """What is public of a file."""
    try:
        with open(root + path, encoding="ascii", errors="replace") as file:
            text = file.read(LIMIT)
    except OSError as error:
        return {"path": path, "public": "", "problem": error.strerror}
    if path.endswith(".conf"):
        text = "\n".join(base64.b64decode(data).decode("ascii", "replace") for data in EMBEDDED.findall(text))
    public = "\n".join(match.group(0) for match in PUBLIC.finditer(text))
    return {"path": path, "public": public, "problem": ""}


if __name__ == "__main__":
    main()
