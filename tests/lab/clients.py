"""What a client on the lab's network does: ask a name server, then curl the answer."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from access.outputs import NameServer, Outputs


def addresses(server: NameServer, host: str) -> tuple[set[str], int]:
    """Addresses and TTL that a name server answers for a host. Raises dnspython's errors."""
    answer = dns.query.udp(
        dns.message.make_query(host, "A"), str(server.address), timeout=3, port=server.port
    )
    records = [record for record in answer.answer if record.rdtype == dns.rdatatype.A]
    return {item.address for record in records for item in record}, min((r.ttl for r in records), default=-1)


def status(server: NameServer, host: str) -> str:
    """How a name server answers a question for a host, as dig says it: NOERROR, NXDOMAIN, REFUSED."""
    question = dns.message.make_query(host, "A")
    return dns.rcode.to_text(dns.query.udp(question, str(server.address), 3, server.port).rcode())


@dataclass(frozen=True)
class Curled:
    """What curl got. `status` is 0 when it got no answer; `problem` then says why."""

    status: int
    body: str
    problem: str

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return dict(json.loads(self.body))


def curl(outputs: Outputs, address: str, path: str, *, ca: str | None = None, host: str = "") -> Curled:
    """`curl --cacert CA --resolve HOST:443:ADDRESS https://HOST/path`. host: without it, that of the URL.

    ca: without it, what clients of the host are to trust.
    """
    host = host or outputs.host
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(outputs.authorities_of(host) if ca is None else ca)
        file.flush()
        done = subprocess.run(
            [
                "curl",
                "--silent",
                "--show-error",
                "--max-time",
                "10",
                "--cacert",
                file.name,
                "--resolve",
                f"{host}:443:{address}",
                "--write-out",
                "\n%{http_code}",
                f"https://{host}{path}",
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    body, _, code = done.stdout.rpartition("\n")
    return Curled(int(code or 0) if done.returncode == 0 else 0, body, done.stderr.strip())
