"""What becomes of secrets of the stack that the declaration names."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pulumi
import pytest

from components.platform import Platform
from stacks.model import Environment
from tests.unit.components import support

LOGIN = {"name": "registry.example.test", "login": "pull"}


SECRET, DEPLOYMENT = "kubernetes:core/v1:Secret", "kubernetes:apps/v1:Deployment"
PASSWORD = "swordfish"


def built(stack, secrets, *, key="root key", encrypted=None, **changes):
    """What the reference stack with other keys registers."""
    environment = json.loads(stack.environment.model_dump_json(by_alias=True, exclude_none=True))
    stack = replace(stack, environment=Environment.model_validate({**environment, **changes}))
    return support.run(
        lambda: Platform("lab", stack, key, secrets=secrets, encrypted=encrypted).outputs, preview=False
    )


def test_a_login_reaches_nodes_as_a_secret_variable_and_nobody_else(small_charts, stack):
    found = built(stack, {"pull": "anna:to:ken\n"}, sources={"registries": [LOGIN]})
    secrets = {
        phase.name: phase.inputs["secret_variables"]
        for phase in found.of("crossmesh:hosts:HostPhase")
        if "to:ken" in json.dumps(phase.inputs)
    }
    logins = {"container_runtime_logins": {LOGIN["name"]: {"user": "anna", "password": "to:ken"}}}
    nodes = ("eu-cp-1", "eu-worker-1", "us-cp-1", "us-worker-1")
    assert secrets == {f"{node}.prepare": logins for node in nodes}


@pytest.mark.parametrize("text", ["token", ":token", "anna:", "anna:one\ntwo"])
def test_a_secret_that_is_no_login_ends_the_program_and_is_not_told(small_charts, stack, text):
    with pytest.raises(pulumi.RunError, match="crossmesh:pull is no login: a user, a colon") as ended:
        built(stack, {"pull": text}, sources={"registries": [LOGIN]})
    assert "token" not in str(ended.value).replace("password or token", "")


def shop(**keys):
    """Applications with one that has further keys."""
    return {"shop": {"namespace": "greencompute", "image": "registry.example.test/shop:1", **keys}}


def texts(secret):
    return {key: base64.b64decode(text).decode() for key, text in secret.inputs["data"].items()}


def digest_of(found):
    template = found.one(DEPLOYMENT, "eu.greencompute.shop").inputs["spec"]["template"]
    return template["metadata"]["annotations"]["checksum/secrets"]


def test_secrets_of_the_stack_become_variables_and_files_of_an_application(small_charts, stack):
    encrypted = {"applications": {"shop": {"environment": {"TOKEN": "t0ken"}}}}
    found = built(
        stack,
        {"dbPassword": PASSWORD, "tlsKey": "KEY"},
        encrypted=encrypted,
        applications=shop(
            environment={"DB_PASSWORD": {"secret": "dbPassword"}, "TOKEN": {"secure": "v1:cipher"}},
            files={"/etc/shop/tls.key": {"secret": "tlsKey"}},
        ),
        ingresses={},
    )
    secret = found.one(SECRET, "eu.greencompute.shop-secrets")
    file = next(key for key in secret.inputs["data"] if key.endswith(".tls.key"))
    assert texts(secret) == {"DB_PASSWORD": PASSWORD, "TOKEN": "t0ken", file: "KEY"}
    assert secret.secrets == {"data", "stringData"}
    assert secret.urn in found.one(DEPLOYMENT, "eu.greencompute.shop").depends_on
    told = json.dumps([each.inputs for each in found.resources.values() if each.type != SECRET])
    assert PASSWORD not in told and "t0ken" not in told and "v1:cipher" not in told
    (container,) = found.one(DEPLOYMENT, "eu.greencompute.shop").inputs["spec"]["template"]["spec"][
        "containers"
    ]
    (mount,) = container["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"], mount["readOnly"]) == ("/etc/shop/tls.key", file, True)


def test_pods_start_anew_by_a_digest_that_tells_nothing_of_the_secret(small_charts, stack):
    def digest(text, key="root key"):
        applications = shop(environment={"key": {"secret": "dbPassword"}})
        return digest_of(built(stack, {"dbPassword": text}, key=key, applications=applications, ingresses={}))

    first = digest(PASSWORD)
    assert first == digest(PASSWORD) != digest("other")
    assert first != digest(PASSWORD, "another root key"), "whoever guesses the text cannot try it"
    assert first != hashlib.sha256(PASSWORD.encode()).hexdigest()


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("registry.example.test:5000/shop:1", "registry.example.test:5000"),
        ("registry.example.test/shop@sha256:" + "0" * 64, "registry.example.test"),
        ("localhost/shop:1", "localhost"),
        ("docker.io/library/shop:1", "docker.io"),
        ("team/shop:1", "docker.io"),
        ("shop:1", "docker.io"),
    ],
)
def test_an_image_is_pulled_with_a_login_for_its_own_registry(small_charts, stack, image, registry):
    applications = {"shop": {**shop()["shop"], "image": image, "imagePullSecret": "pull"}}
    found = built(stack, {"pull": "anna:to:ken"}, applications=applications, ingresses={})
    secret = found.one(SECRET, "eu.greencompute.shop-pull")
    (config,) = texts(secret).values()
    assert json.loads(config) == {"auths": {registry: {"auth": base64.b64encode(b"anna:to:ken").decode()}}}
    pod = found.one(DEPLOYMENT, "eu.greencompute.shop").inputs["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "shop-pull"}]
