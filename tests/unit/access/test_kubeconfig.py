from __future__ import annotations

import base64

import pytest
import yaml

from access import kubeconfig
from tests.unit.components.support import KUBECONFIG


def test_a_kubeconfig_of_certificates_holds_them_and_names_its_cluster():
    text = kubeconfig.from_certificates(
        "eu", "https://192.0.2.1:6443", authority="CA", certificate="CERT", private_key="KEY"
    )
    config = yaml.safe_load(text)
    assert config["current-context"] == "eu"
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == b"KEY"
    assert kubeconfig.server(text) == "https://192.0.2.1:6443"


def test_a_kubeconfig_with_a_token_carries_nothing_of_the_administrator_s():
    text = kubeconfig.with_token(KUBECONFIG, cluster="eu", token="secret")
    config = yaml.safe_load(text)
    assert config["users"] == [{"name": "istiod-eu", "user": {"token": "secret"}}]
    assert config["clusters"][0]["cluster"] == {
        "certificate-authority-data": "Q0E=",
        "server": "https://192.0.2.1:6443",
    }


def test_the_current_context_decides_which_cluster_is_meant():
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"].insert(0, {"name": "other", "cluster": {"server": "https://192.0.2.9"}})
    assert kubeconfig.server(yaml.safe_dump(config)) == "https://192.0.2.1:6443"


def test_a_kubeconfig_that_names_its_authority_by_path_is_refused_with_the_fix():
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"][0]["cluster"] = {"server": "https://192.0.2.1", "certificate-authority": "/ca.crt"}
    with pytest.raises(ValueError, match=r"cluster 'eu'.*--raw --flatten"):
        kubeconfig.with_token(yaml.safe_dump(config), cluster="eu", token="secret")


@pytest.mark.parametrize("text", ["", "not: a kubeconfig", "[]"])
def test_what_is_no_kubeconfig_is_said_to_be_none(text):
    with pytest.raises(ValueError, match="kubeconfig is a YAML document"):
        kubeconfig.server(text)


def test_several_clusters_without_a_current_context_are_refused():
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"].append({"name": "other", "cluster": {"server": "https://192.0.2.9"}})
    del config["current-context"]
    with pytest.raises(ValueError, match="current-context"):
        kubeconfig.server(yaml.safe_dump(config))
