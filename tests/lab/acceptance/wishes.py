"""What the suite `wishes` declares beside the reference: names and an application; then another way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Edit = Callable[[dict[str, Any]], None]
"""Changes what stands below `crossmesh:environment`."""

DOMAIN, SECOND = "lab.crossmesh.test", "second.example"
FIRST_HOST = f"assetmanagement.greencompute.{DOMAIN}"
APEX, WILDCARD, OTHER, WITHIN = DOMAIN, f"*.shop.{DOMAIN}", f"www.{SECOND}", "shop.inside.example"
BELOW_WILDCARD = f"any.shop.{DOMAIN}"
PUBLIC = "It says who answers, and has nothing that is to be protected."

SHOP = "shop"
"""The application that has all that one may have."""
SHOP_PATH, SHOP_USER, SHOP_WRITABLE = "/shop", 10001, "/var/cache/shop"
LICENCE = "/etc/shop/licence"
TOKEN_SECRET, TOKEN_VARIABLE = "token", "API_TOKEN"
LICENCE_AT = f'crossmesh:environment.applications.{SHOP}.files["{LICENCE}"]'
"""Where `pulumi config set --secret --path` encrypts a text in its place."""

PULLED = "pulled"
"""The application whose image comes by the mirror of a registry that there is not."""
REGISTRY, LOGIN_SECRET = "registry.example.test", "mirrorLogin"
PROXY_PORT, MIRROR_PORT = 3128, 5443

SERVICES = "172.29.1.0/28"
GATEWAY = "172.29.1.1"
"""The first of eu's addresses beside the machine network, which its gateway gets."""


def edited(text: str, edit: Edit) -> str:
    """A stack file's text with a change."""
    document = yaml.safe_load(text)
    edit(document["config"]["crossmesh:environment"])
    return yaml.safe_dump(document, sort_keys=False)


def names_and_an_application(environment: dict[str, Any]) -> None:
    """A redirect, the apex, a wildcard, a second domain, a name that others answer; and `SHOP` behind them.

    Its file is declared by `pulumi config set`.
    """

    def exposed(host: str, **more: Any) -> dict[str, Any]:
        paths = [{"path": SHOP_PATH, "application": SHOP}]
        return {"namespace": "greencompute", "host": host, "public": PUBLIC, "paths": paths, **more}

    environment["domains"] = [SECOND]
    environment["applications"][SHOP] = {
        "namespace": "greencompute",
        "image": "docker.io/crossmesh/asset-service:1.0.0",
        "port": 80,
        "runAsUser": SHOP_USER,
        "writable": [SHOP_WRITABLE],
        "environment": {
            "LISTEN_ADDRESS": ":80",
            "PATH_PREFIX": SHOP_PATH,
            TOKEN_VARIABLE: {"secret": TOKEN_SECRET},
        },
    }
    ingresses = environment["ingresses"]
    ingresses["assetmanagement"]["redirectHttp"] = True
    # After the reference's in the order of names, so that the output `url` stays.
    ingresses["naked"] = exposed(APEX)
    ingresses["second"] = exposed(OTHER)
    ingresses["shops"] = exposed(WILDCARD)
    ingresses["within"] = exposed(WITHIN, dns=False)


def another_way_out(address: str, authority: Path) -> Edit:
    """The second domain goes; eu's gateway is reached by BGP; hosts have a proxy, and a registry a mirror.

    address: of proxy and mirror. authority: the file with the mirror's.
    """

    def edit(environment: dict[str, Any]) -> None:
        del environment["domains"], environment["ingresses"]["second"]
        environment["regions"]["eu"]["loadBalancer"] = {"first": GATEWAY, "last": "172.29.1.14"}
        mirror = f"{address}:{MIRROR_PORT}"
        environment["sources"] |= {
            "proxy": {"http": f"http://{address}:{PROXY_PORT}"},
            "registries": [
                {"name": REGISTRY, "mirror": f"https://{mirror}"},
                {"name": mirror, "caFile": str(authority), "login": LOGIN_SECRET},
            ],
        }
        environment["applications"][PULLED] = {
            "namespace": "greencompute",
            "image": f"{REGISTRY}/crossmesh/asset-service:1.0.0",
            "environment": {"PATH_PREFIX": f"/{PULLED}"},
        }

    return edit


def accepting(lab: str) -> str:
    """A lab's description whose router takes the addresses of services too."""
    document = yaml.safe_load(lab)
    document["fabric"]["acceptedPrefixes"].append(SERVICES)
    return yaml.safe_dump(document, sort_keys=False)


PODS = f"""
import errno, glob, hashlib, json, os
def digest(content):
    return hashlib.sha256(content).hexdigest()
found = []
for process in glob.glob("/proc/[0-9]*"):
    try:
        program = os.readlink(process + "/exe")
        entries = open(process + "/environ", "rb").read().split(b"\\0")
        status = open(process + "/status").read().splitlines()
    except OSError:
        continue
    variables = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
    if not program.endswith("/asset-service") or variables.get(b"SERVICE_NAME") != b"{SHOP}":
        continue
    lines = dict(line.split(":", 1) for line in status)
    user, group = (int(lines[key].split()[1]) for key in ("Uid", "Gid"))
    groups = [int(number) for number in lines["Groups"].split()]
    root = os.open(process + "/root", os.O_PATH)
    def tried(path, flags):
        # In a process of that user, which holds the container's root already.
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(groups); os.setgid(group); os.setuid(user)
                os.close(os.open(path, flags, 0o600, dir_fd=root))
                os._exit(0)
            except OSError as error:
                os._exit(error.errno)
        return errno.errorcode.get(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "done")
    write = os.O_WRONLY | os.O_CREAT
    at = os.open("{LICENCE[1:]}", os.O_RDONLY, dir_fd=root)
    found.append({{
        "pod": variables[b"POD_NAME"].decode(),
        "user": user,
        "variable": digest(variables[b"{TOKEN_VARIABLE}"]),
        "file": digest(os.read(at, 65536)),
        "mode": oct(os.fstat(at).st_mode & 0o777),
        "reads": tried("{LICENCE[1:]}", os.O_RDONLY),
        "changes": tried("{LICENCE[1:]}", os.O_WRONLY),
        "writes": tried("{SHOP_WRITABLE[1:]}/mark", write),
        "writesElsewhere": tried("tmp/mark", write),
    }})
print(json.dumps(found))
"""
"""A program for a node: what the processes of `SHOP` there have, as digests, and what their user may."""
