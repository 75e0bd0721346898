"""What is declared of a host, as far as its preflight goes, and what the host is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

import releases
from playbooks.phase import COLLECTION

FACTS = COLLECTION / "plugins" / "module_utils" / "facts.py"
"""The program that looks: it runs on the host."""
DATABASE_FACTS = Path(__file__).with_name("country_database.py")
"""What looks at a database of countries, where one is declared: no part of the collection, whose digest says
what plays do to hosts."""


@dataclass(frozen=True)
class Expected:
    """A host as it is declared."""

    role: str
    """`control-plane`, `worker` or `edge`."""
    variables: Mapping[str, Any]
    """Of its phase prepare, with the texts of files."""
    address: str = ""
    """In the machine network."""
    accept: tuple[str, ...] = ()
    """Checks whose refusal is a warning."""
    ignore: tuple[str, ...] = ()
    """kubeadm's own checks that do not apply."""
    tunnel_port: int = 0
    """The UDP port of its tunnels; 0 where it has none."""
    gateway_ports: tuple[int, ...] = ()
    """TCP ports of its address that lead to the region's gateway."""
    database: str = ""
    """Path of the database of countries that its name server needs."""

    @classmethod
    def of(cls, declared: Mapping[str, Any], variables: Mapping[str, Any]) -> Expected:
        """From `preflight` of a host's resource or plan."""
        accept, ignore = tuple(declared.get("accept") or ()), tuple(declared.get("ignore") or ())
        port = int(declared.get("tunnel_port") or 0)
        led = tuple(map(int, declared.get("gateway_ports") or ()))
        database = str(declared.get("database") or "")
        return cls(declared["role"], variables, declared["address"], accept, ignore, port, led, database)

    @property
    def is_node(self) -> bool:
        """Whether it becomes a Kubernetes node."""
        return self.role != "edge"

    def setting(self, name: str) -> Any:
        """A field of its kubelet's configuration; None where it is not declared."""
        return self.variables.get("kubelet_configuration", {}).get(name)

    def default(self, name: str) -> Any:
        """What its kubelet takes for a field that is not declared; None where its version is not known."""
        version = self.kubernetes
        return releases.configurations(version)["defaults"]["kubelet"].get(name) if version else None

    @property
    def kubernetes(self) -> str:
        """The version of Kubernetes that it gets; empty where that is not known."""
        return str((self.variables.get("base_pins") or {}).get("kubelet", "")).partition("-")[0]


def order(expected: Expected) -> dict[str, Any]:
    """What the host is to look at, as the program in `FACTS` takes it."""
    variables = expected.variables
    sources = variables.get("base_apt_sources") or []
    kinds = ["", *releases.distributions()] if any(source.get("distribution") for source in sources) else [""]
    return {
        "packages": list(variables["base_packages"]),
        "sources_files": {
            kind: _template("crossmesh.sources.j2").render({**variables, "base_distribution": kind})
            for kind in kinds
            if sources
        },
        "pins_file": _template("preferences.j2").render(variables) if variables.get("base_pins") else "",
        "proxy_file": _template("proxy.conf.j2").render(variables) if variables.get("base_apt_proxy") else "",
        "modules": [*(variables.get("base_kernel_modules") or ()), *_tunnel_modules(expected)],
        "sysctls": sorted(variables.get("base_sysctls") or ()),
        "images": _images(variables),
        **({"database": expected.database} if expected.database else {}),
    }


def _images(variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mirror of image bundles, by the way that the role images has to it."""
    if not variables.get("images_bundles"):
        return None
    proxies = {name.partition("_")[0]: url for name, url in (variables.get("images_proxy") or {}).items()}
    return {"base_url": variables["images_base_url"], "proxies": proxies}


def _tunnel_modules(expected: Expected) -> list[str]:
    """What its tunnels need of the kernel, unless a program stands in for it."""
    in_kernel = expected.tunnel_port and "wireguard-go" not in expected.variables["base_packages"]
    return ["wireguard"] if in_kernel else []


def program(asked: Mapping[str, Any] | None) -> bytes:
    """A Python program that looks at a host and prints the facts as a line of JSON; without an order, only
    who runs it."""
    if asked is None:
        return b"import os, json; print(json.dumps({'uid': os.getuid()}))"
    found = [_called(FACTS, "facts", dict(asked))]
    if path := asked.get("database"):
        found.append(f"{{'database': {_called(DATABASE_FACTS, 'database', path)}}}")
    return f"import json\n{_RUN}print(json.dumps({{{', '.join(f'**{each}' for each in found)}}}))\n".encode()


_RUN = """\
def run(source, name, argument):
    scope = {'__name__': name}
    exec(source, scope)
    return scope[name](argument)
"""


def database_program(path: str) -> bytes:
    """A Python program that prints, as a line of JSON, what the database at a path is and the host's time."""
    found = _called(DATABASE_FACTS, "database", path)
    return f"import json, time\n{_RUN}print(json.dumps({{'now': time.time(), **{found}}}))\n".encode()


def _called(program: Path, function: str, argument: object) -> str:
    """An expression that runs a function of a program."""
    return f"run({program.read_text(encoding='utf-8')!r}, {function!r}, {argument!r})"


@cache
def _template(name: str) -> jinja2.Template:
    """A template of the role that writes the same file on the host, as Ansible reads it."""
    loader = jinja2.FileSystemLoader(COLLECTION / "roles" / "base" / "templates")
    environment = jinja2.Environment(
        loader=loader, trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(name)
