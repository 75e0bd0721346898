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
    assert kubeconfig.read(text).server == "https://192.0.2.1:6443"


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
    assert kubeconfig.read(yaml.safe_dump(config)).server == "https://192.0.2.1:6443"


def test_a_kubeconfig_that_names_its_authority_by_path_is_refused_with_the_fix():
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"][0]["cluster"] = {"server": "https://192.0.2.1", "certificate-authority": "/ca.crt"}
    with pytest.raises(kubeconfig.KubeconfigError, match=r"cluster 'eu'[^$]*--raw --flatten"):
        kubeconfig.with_token(yaml.safe_dump(config), cluster="eu", token="secret")


@pytest.mark.parametrize("text", ["", "a: [", "not: a kubeconfig", "[]", "clusters: []", "contexts: []"])
def test_what_is_no_kubeconfig_is_said_to_be_none(text):
    with pytest.raises(kubeconfig.KubeconfigError, match="cannot be read"):
        kubeconfig.read(text)


def test_without_a_current_context_the_only_one_counts_and_several_are_refused():
    config = yaml.safe_load(KUBECONFIG)
    del config["current-context"]
    assert kubeconfig.read(yaml.safe_dump(config)).server == "https://192.0.2.1:6443"
    config["contexts"].append({"name": "other", "context": config["contexts"][0]["context"]})
    with pytest.raises(kubeconfig.KubeconfigError, match="current-context"):
        kubeconfig.read(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ({"token": "secret"}, kubeconfig.User(token="secret")),
        ({"exec": {"command": "aws", "args": ["eks"]}}, kubeconfig.User(command="aws")),
        (
            {"client-certificate-data": "QQ==", "client-key-data": "Qg=="},
            kubeconfig.User("A", "B"),
        ),
        ({"auth-provider": {"name": "gcp"}}, kubeconfig.User(command="gcp")),
        ({"client-certificate": "/by/path"}, kubeconfig.User(in_files=True)),
        ({}, kubeconfig.User()),
    ],
)
def test_a_user_is_read_with_what_it_authenticates_by(user, kind):
    config = yaml.safe_load(KUBECONFIG)
    config["users"][0]["user"] = user
    current = kubeconfig.read(yaml.safe_dump(config))
    assert current.user == kind
    assert "secret" not in repr(current)


def test_a_refusal_never_quotes_the_text():
    with pytest.raises(kubeconfig.KubeconfigError) as refused:
        kubeconfig.read('users: [{name: u, user: {token: "s3cret"}}]')
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "k3d.localhost", "[::1]", "0.0.0.0"])
def test_an_address_that_means_another_machine_on_each_is_given_to_no_other_cluster(host):
    text = KUBECONFIG.replace("192.0.2.1", host)
    with pytest.raises(kubeconfig.KubeconfigError, match=r"another machine[^$]*regions.eu.cluster.apiServer"):
        kubeconfig.with_token(text, cluster="eu", token="secret")
    reached = kubeconfig.with_token(text, cluster="eu", token="secret", server="https://kube.example:6443/")
    assert kubeconfig.read(reached).server == "https://kube.example:6443"


def test_other_clusters_know_a_server_by_its_own_name_and_take_their_own_way():
    config = yaml.safe_load(KUBECONFIG)
    config["clusters"][0]["cluster"] |= {
        "tls-server-name": "kube.example",
        "proxy-url": "http://192.0.2.7:3128",
    }
    given = yaml.safe_load(kubeconfig.with_token(yaml.safe_dump(config), cluster="eu", token="secret"))
    assert given["clusters"][0]["cluster"]["tls-server-name"] == "kube.example"
    assert "proxy-url" not in given["clusters"][0]["cluster"]
