"""Credentials are in Secrets."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import Manifest, named, network
from policies.credentials import POLICY, is_credential
from report.model import SECRET, UNKNOWN
from tests.unit.policies.support import NOT_KNOWN, changed, violations, web

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD",
        "DB_PASSWORD",
        "db-password",
        "dbPassword",
        "clientSecret",
        "API_KEY",
        "apiKey",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "tls.privateKey",
        "smtp.passwd",
        "credentials",
    ],
)
def test_these_names_are_credentials(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD_FILE",
        "METALLB_ML_SECRET_KEY_PATH",
        "METALLB_ML_SECRET_NAME",
        "TOKEN_AUDIENCES",
        "TOKENIZER",
        "SECRETARY",
        "monkey",
        "UPSTREAM_URL",
        "KEY",
        "PATH_PREFIX",
    ],
)
def test_these_names_are_none(name: str) -> None:
    assert not is_credential(name)


def settings(**data: str) -> Manifest:
    return named("v1", "ConfigMap", "settings", "shop", data=data)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"DB_PASSWORD": "hunter2"}, {"DB_PASSWORD_FILE": "/run/secrets/db"}),
        ({"server.pem": KEY}, {"server.pem": KEY.replace("PRIVATE", "PUBLIC")}),
        ({"url": "postgres://shop:hunter2@db/shop"}, {"url": "postgres://db/shop"}),
    ],
)
def test_a_config_map_holds_none(bad: dict[str, str], good: dict[str, str]) -> None:
    (said,) = violations(POLICY, settings(**bad))
    assert "hunter2" not in said
    assert "MHc" not in said
    assert violations(POLICY, settings(**good)) == []


def variables(*found: dict[str, Any]) -> Manifest:
    return changed(web()[2], list(found), "spec", "template", "spec", "containers", 0, "env")


def test_a_variable_holds_none() -> None:
    (said,) = violations(POLICY, variables({"name": "DB_PASSWORD", "value": "hunter2"}))
    assert "hunter2" not in said
    reference = {"secretKeyRef": {"name": "db", "key": "password"}}
    assert violations(POLICY, variables({"name": "DB_PASSWORD", "valueFrom": reference})) == []
    assert violations(POLICY, variables({"name": "DB_PASSWORD", "value": ""})) == []


def test_that_the_engine_knows_a_value_as_a_secret_does_not_make_it_one_in_the_cluster() -> None:
    assert len(violations(POLICY, settings(DB_PASSWORD=SECRET))) == 1


def test_a_value_that_is_not_known_is_not_passed_over() -> None:
    assert violations(POLICY, settings(motd=UNKNOWN)) == [NOT_KNOWN]
    assert len(violations(POLICY, settings(DB_PASSWORD=UNKNOWN))) == 1


def test_the_platforms_own_settings_pass() -> None:
    slices = network.slices("eu", "172.30.0.0/20", "172.31.0.0/20", {"eu-cp-1": "172.30.0.0/24"})
    assert violations(POLICY, slices) == []
