"""By which keys a cluster's Secrets are encrypted: their names, and never the keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from access import ssh
from access.ssh import Connection
from live.state import State
from playbooks.phase import COLLECTION
from playbooks.tokens import ENCRYPTION_KEY
from playbooks.work.clusters import ETCD_LIBRARY
from report.errors import OperationsError

PLAIN = "identity"
"""What stands for no encryption, in the place of a key's name."""
SCRIPT = (
    "cat /etc/kubernetes/crossmesh/encryption-*.yaml 2>/dev/null | grep -o 'name: *[A-Za-z0-9._-]*' || true"
)
"""Says on a control-plane host the names of the keys that its API server has."""
ORDER = r"""
pid=$(pgrep -o -x kube-apiserver) || { echo 'kube-apiserver does not run' >&2; exit 1; }
file=$(tr '\0' '\n' </proc/"$pid"/cmdline | sed -n 's/^--encryption-provider-config=//p')
[ -z "$file" ] || grep -E -o '^ *- (identity|\{name: *[A-Za-z0-9._-]+)' "$file"
"""
"""Says on a control-plane host which providers the API server that runs has, in their order."""
_NAME = re.compile(r"^name: *(\S+)$", re.MULTILINE)
_PROVIDER = re.compile(r"^ *- (?:(identity)|\{name: *(\S+))$", re.MULTILINE)
_SECRETS_LIBRARY = COLLECTION / "plugins" / "module_utils" / "stored_secrets.py"
_SECONDS = 90.0
_STORED = """
import sys
sys.stdin.readline()
try:
    told = {"stored": secrets_by_key()}
except (EtcdError, OSError) as error:
    told = {"why": str(error)}
print(json.dumps(told))
"""
"""What follows the library by which plays ask etcd."""
_REWRITTEN = """
import sys
order = json.loads(sys.stdin.readline())
try:
    there, other = rewrite(order["port"])
    told = {"there": there, "other": other}
except (StoredSecretsError, OSError) as error:
    told = {"why": str(error)}
print(json.dumps(told))
"""
"""What follows the library by which plays write Secrets anew."""


def key_names(on_host: Callable[[str], str]) -> list[str]:
    """Names of the keys that a host's API server has, sorted. on_host: what a script says there."""
    return sorted(set(_NAME.findall(on_host(SCRIPT))))


def order(on_host: Callable[[str], str]) -> list[str]:
    """Names of the keys by which a host's API server reads Secrets, `identity` among them; it writes by the
    first. on_host: what a script says there."""
    found = _PROVIDER.findall(on_host(ORDER))
    return [plain or key for plain, key in found] or [PLAIN]


def numbered(state: State, region: str) -> dict[int, str]:
    """Names of the keys that a stack has for a region's cluster, by number; also of those that no host
    has."""
    return {
        int(key.inputs.get("number") or 1): str(key.outputs["key_name"])
        for key in state.of_type(ENCRYPTION_KEY)
        if key.inputs.get("cluster") == region and key.outputs.get("key_name")
    }


def lacking(needed: Iterable[str], there: Iterable[str], kept: Mapping[int, str]) -> tuple[str, str]:
    """Which keys Secrets of a backup need that a host lacks, and how it gets them; nothing where it lacks
    none.

    needed, there: names. kept: keys that the stack has, by number.
    """
    missing = sorted(set(needed) - set(there))
    if not missing:
        return "", ""
    numbers = {name: number for number, name in kept.items()}
    named = [f"{name} (key {numbers[name]})" if name in numbers else name for name in missing]
    if not set(missing) <= numbers.keys():
        return ", ".join(named), (
            "nobody reads them without: bring the backup back where that key is, or bring back the stack's "
            "state from when it was taken (`pulumi stack import`)"
        )
    old = [numbers[name] for name in missing]
    return ", ".join(named), (
        f"it is older than a rotation of the key, and the stack has kept the one before: name {old} behind "
        "the others in `encryptionKeys` of the cluster, `pulumi up`, bring the backup back, and after that "
        "take the number out again and `pulumi up`, which writes all Secrets anew first"
    )


def stored(host: tuple[str, Connection]) -> dict[str, int]:
    """How many Secrets etcd has by which key, asked of one of its hosts. Raises OperationsError."""
    return dict(_asked(host, ETCD_LIBRARY.read_text() + _STORED, {}, _SECONDS)["stored"])


def rewritten(host: tuple[str, Connection], port: int, seconds: float) -> str:
    """Have a host's API server write all Secrets anew; return in words what that was. Raises
    OperationsError."""
    told = _asked(host, _SECRETS_LIBRARY.read_text() + _REWRITTEN, {"port": port}, seconds)
    return f"{told['there']} Secrets written anew, of which {told['other']} were kept in another form"


def _asked(
    host: tuple[str, Connection], source: str, asked: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    name, connection = host
    told = ssh.ask(name, connection, source.encode(), asked, what="its Secrets", timeout=seconds)
    if "why" in told:
        raise OperationsError(f"{name}: {told['why']}")
    return told
