"""Each rule over trust, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

from tests.unit.stacks.bad import (
    BALANCING,
    Bad,
    Write,
    assert_refused,
    bad,
)

APT = "      apt:\n"
REGISTRY = "      registries:\n        - {name: registry.example.test, login: NAME}\n"


def login(name: str) -> tuple[str, str]:
    """A registry whose login is a secret of that name."""
    return APT, REGISTRY.replace("NAME", name) + APT


def certificates(text: str) -> tuple[str, str]:
    """Certificates, beside what is right."""
    return BALANCING, f"    certificates:\n{text}{BALANCING}"


def certificate(name: str, hosts: str, key: str = "key.pem") -> str:
    given = f"{{certificate: a.pem, privateKey: {key}}}"
    return f"      {name}:\n        hosts:\n          - {hosts}\n        given: {given}\n"


CASES: dict[str, Bad] = {
    "no root key": bad(
        ("  crossmesh:meshRootKey:\n    secure: v1:one\n", ""),
        path="crossmesh:meshRootKey",
        line="config:",
        got="nothing",
        rule="root of trust",
        fix="run `crossmesh secrets init --stack test`",
    ),
    "certificate of a host that is misspelt": bad(
        certificates(certificate("site", "shpo.example.test")),
        path="certificates.site.hosts[0]",
        line="shpo",
        got="shpo.example.test, which nothing exposes",
        rule="exposed hosts: back.example.test, shop.example.test",
        fix="did you mean 'shop.example.test'?",
    ),
    "certificate of all below a name that has none": bad(
        certificates(certificate("site", '"*.b.example.test"')),
        path="certificates.site.hosts[0]",
        line="*.b",
        got="*.b.example.test, which nothing exposes",
        rule="exposed hosts",
        fix="",
    ),
    "host with two certificates": bad(
        certificates(certificate("site", "shop.example.test") + certificate("too", "shop.example.test # x")),
        path="certificates.too.hosts[0]",
        line="# x",
        got="shop.example.test again; line",
        rule="a host has one certificate",
        fix="remove one of the two",
    ),
    "key by a secret that is not there": bad(
        certificates(certificate("site", '"*.example.test"', "{secret: siteKey}")),
        path="certificates.site.given.privateKey.secret",
        line="siteKey",
        got="the name 'siteKey', and no such secret",
        rule="`crossmesh:siteKey` holds the private key of certificate 'site', in PEM",
        fix="run `pulumi config set --secret --stack test siteKey`",
    ),
    "key by nothing": bad(
        certificates(certificate("site", "shop.example.test", "{}")),
        path="certificates.site.given.privateKey",
        line="privateKey: {}",
        got="an empty mapping",
        rule="a secret text has `secret`",
        fix="write for example {secret: aName}",
    ),
    "no password for sudo": bad(
        (
            "      privateKeyFile: ~/keys/id\n",
            "      privateKeyFile: ~/keys/id\n      becomePassword: sudo\n",
        ),
        path="ssh.becomePassword",
        line="becomePassword",
        got="the name 'sudo', and no such secret",
        rule="the password that sudo asks for",
        fix="run `pulumi config set --secret --stack test sudo`",
    ),
    "the root's key as a password": bad(
        (
            "      privateKeyFile: ~/keys/id\n",
            "      privateKeyFile: ~/keys/id\n      becomePassword: meshRootKey\n",
        ),
        path="ssh.becomePassword",
        line="becomePassword",
        got="'meshRootKey', a secret of the platform itself",
        rule="given to nobody",
        fix="another name",
    ),
    "login that is no secret of the stack": bad(
        login("registryLogin"),
        path="sources.registries[0].login",
        line="registryLogin",
        got="the name 'registryLogin', and no such secret",
        rule="`crossmesh:registryLogin` holds the login of registry 'registry.example.test', as `user:pass",
        fix="run `pulumi config set --secret --stack test registryLogin`, which asks for it",
    ),
    "root key as a login": bad(
        login("meshRootKey"),
        path="sources.registries[0].login",
        line="login",
        got="'meshRootKey', a secret of the platform itself",
        rule="given to nobody",
        fix="another name",
    ),
    "kubeconfig as a login": bad(
        login("cloudKubeconfig"),
        path="sources.registries[0].login",
        line="login",
        got="'cloudKubeconfig', a secret of the platform itself",
        rule="given to nobody",
        fix="another name",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)
