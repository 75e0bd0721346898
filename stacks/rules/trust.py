"""Rules over the root of trust, and over whatever else is secret."""

from __future__ import annotations

from stacks.errors import KeyPath
from stacks.named_secrets import MESH_ROOT_KEY, named_secrets, secret_parts
from stacks.rules.check import Check, repeated
from stacks.wording import suggestion

ROOT_KEY_PATH = ("config", f"crossmesh:{MESH_ROOT_KEY}")


def the_root_key_is_there(check: Check) -> None:
    """The key of the mesh's root of trust is in the file: found before any host is touched, not half way."""
    if not check.require_secrets:
        return
    if MESH_ROOT_KEY not in check.secrets and check.document.get(ROOT_KEY_PATH) is None:
        check.document.problem(
            ROOT_KEY_PATH,
            "nothing",
            "the key of the mesh's root of trust is a secret of the stack",
            f"run `crossmesh secrets init --stack {check.stack}`",
        )


def named_secrets_are_there(check: Check) -> None:
    """A secret that is named is in the file: found now, not when a host or pods wait for it."""
    if not check.require_secrets:
        return
    for path, name, holds in named_secrets(check.environment):
        if name not in check.secrets:
            near = suggestion(name, check.secrets - _of_the_platform(check), "")
            set_it = f"run `pulumi config set --secret --stack {check.stack} {name}`, which asks for it"
            check.problem(
                path,
                f"the name '{name}', and no such secret",
                f"the stack secret `crossmesh:{name}` holds {holds}",
                f"{near} or {set_it}" if near else set_it,
            )


def named_secrets_are_not_the_platforms(check: Check) -> None:
    """Neither the root's key nor a cluster's kubeconfig is given to anybody: who has them has all."""
    for path, name, _ in named_secrets(check.environment):
        if name in _of_the_platform(check):
            check.problem(
                path,
                f"the name '{name}', a secret of the platform itself",
                "the root's key and kubeconfigs are given to nobody",
                "set a secret of another name",
            )


def secret_parts_of_certificates_are_said_in_one_way(check: Check) -> None:
    """A secret part of a certificate is named or encrypted in its place: of both, or of neither, nobody could
    tell it.
    """
    for name, certificate in check.environment.certificates.items():
        for key, part in secret_parts(certificate.given):
            check.said_in_one_way(("certificates", name, "given", key), part)


def certificates_have_exposed_hosts(check: Check) -> None:
    """A host of a certificate is exposed: of one that is misspelt, clients would be shown another one."""
    if not check.intact("ingresses") or not check.intact("routes"):
        return
    exposed = {each.host for each in check.environment.exposed}
    for path, host in _certified(check):
        below = host.removeprefix("*")
        if host in exposed or (
            below != host and any(each.partition(".")[2] == below[1:] for each in exposed)
        ):
            continue
        listed = (
            f"exposed hosts: {', '.join(sorted(exposed))}"
            if exposed
            else "`ingresses` and `routes` expose none"
        )
        fix = "expose it by an ingress or a route, or leave it out"
        check.problem(path, f"{host}, which nothing exposes", listed, suggestion(host, exposed, fix))


def hosts_have_one_certificate(check: Check) -> None:
    """A host stands once among all certificates: of two, which one is shown would be chance."""
    for (before, _), (path, host) in repeated(_certified(check), lambda entry: entry[1]):
        check.problem(
            path,
            f"{host} again; line {check.line(*before)} has it already",
            "a host has one certificate",
            "remove one of the two",
        )


def _certified(check: Check) -> list[tuple[KeyPath, str]]:
    """The hosts of certificates, with their places."""
    return [
        (("certificates", name, "hosts", index), host)
        for name, spec in check.environment.certificates.items()
        for index, host in enumerate(spec.hosts)
    ]


def _of_the_platform(check: Check) -> set[str]:
    return {MESH_ROOT_KEY, *(cluster.kubeconfig_secret for _, cluster in check.adopted())}


RULES = (
    the_root_key_is_there,
    named_secrets_are_there,
    named_secrets_are_not_the_platforms,
    secret_parts_of_certificates_are_said_in_one_way,
    certificates_have_exposed_hosts,
    hosts_have_one_certificate,
)
