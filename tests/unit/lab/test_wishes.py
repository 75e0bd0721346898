"""What the suite `wishes` declares is accepted, and its way out works; no machines."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from hashlib import sha256
from http.client import HTTPSConnection
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from lab.images.archive import Config, Image, write_archive
from lab.images.layer import FileLayer, directory
from lab.mirror import server
from lab.spec import REFERENCE, load
from stacks.load import load_stack
from stacks.model import Secret
from tests.lab import way_out
from tests.lab.acceptance import wishes
from tests.lab.derived import derive
from tests.unit.operations.support import STACK_TEXT, issue

HERE = "127.0.0.1"
LOGIN = "puller:secret"


def free_port() -> int:
    with socket.create_server((HERE, 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    reference = tmp_path / "Pulumi.lab.yaml"
    reference.write_text(STACK_TEXT)
    return derive(reference, "test-wishes", "test-wishes")


def test_the_declarations_on_top_of_each_other_are_right(stack_file: Path) -> None:
    text = wishes.edited(stack_file.read_text(), wishes.names_and_an_application)
    document = yaml.safe_load(text)
    # As `pulumi config set --secret --path` adds it.
    shop = document["config"]["crossmesh:environment"]["applications"][wishes.SHOP]
    shop["files"] = {wishes.LICENCE: {"secure": "v1:of:it"}}
    stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    environment = load_stack(stack_file).environment
    assert environment.names[wishes.SECOND] == [wishes.OTHER]
    assert {wishes.APEX, wishes.WILDCARD} < set(environment.names[wishes.DOMAIN])
    assert environment.applications[wishes.SHOP].files == {wishes.LICENCE: Secret(secure="v1:of:it")}
    authority = stack_file.with_name("authority.pem")
    stack_file.write_text(
        wishes.edited(stack_file.read_text(), wishes.another_way_out("10.9.0.254", authority))
    )
    environment = load_stack(stack_file).environment
    assert environment.zones == (wishes.DOMAIN,)
    assert [str(network) for network in environment.regions["eu"].routed_services]
    assert environment.sources.proxy is not None


def test_the_router_takes_the_addresses_that_are_declared_and_no_machine_has(tmp_path: Path) -> None:
    described = tmp_path / "lab.yaml"
    described.write_text(wishes.accepting(REFERENCE.read_text()))
    assert load(described).accepted_prefixes == (*load().accepted_prefixes, wishes.SERVICES)


def test_what_looks_into_pods_is_a_program() -> None:
    compile(wishes.PODS, "pods", "exec")


def test_the_mirror_gives_an_image_to_who_has_its_login_and_the_proxy_leads_there(tmp_path: Path) -> None:
    image = Image(
        "docker.io/crossmesh/one:1.0", (FileLayer((directory("etc"),)),), Config("one", "1.0", ("/one",))
    )
    write_archive([image], tmp_path / "one.tar", "amd64")
    content = way_out.Content.of(tmp_path / "one.tar")
    issuer = issue("authority", ca=True)
    shown = issue("mirror", issuer, sans=(x509.IPAddress(ip_address(HERE)),))
    trusted = ssl.create_default_context(cadata=issuer.pem)
    through, port = free_port(), free_port()
    with (
        way_out.proxy(HERE, through) as proxied,
        way_out.registry(HERE, port, content, LOGIN, (shown.pem, shown.key_pem)) as asked,
    ):

        def got(path: str, login: str = LOGIN) -> tuple[int, bytes]:
            connection = HTTPSConnection(HERE, through, context=trusted, timeout=10)
            connection.set_tunnel(HERE, port)
            basic = f"Basic {b64encode(login.encode()).decode()}"
            connection.request("GET", path, headers={"Authorization": basic})
            answer = connection.getresponse()
            return answer.status, answer.read()

        manifest = "/v2/crossmesh/one/manifests/1.0"
        assert got(manifest, "puller:wrong")[0] == 401
        code, body = got(f"{manifest}?ns=registry.example.test")
        (layer,) = yaml.safe_load(body)["layers"]
        assert code == 200
        blob = got(f"/v2/crossmesh/one/blobs/{layer['digest']}")[1]
        assert f"sha256:{sha256(blob).hexdigest()}" == layer["digest"]
        assert got("/v2/crossmesh/one/blobs/sha256:none")[0] == 404
    assert [request.status for request in asked] == [401, 200, 200, 404]
    assert {request.target for request in proxied} == {f"{HERE}:{port}"}


def test_the_proxy_hands_on_what_plain_http_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one" * 100000)
    through, nobody = free_port(), free_port()
    proxies = urllib.request.ProxyHandler({"http": f"http://{HERE}:{through}"})
    opener = urllib.request.build_opener(proxies)
    with way_out.proxy(HERE, through) as proxied, server.make(tmp_path, HERE, 0) as origin:
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        url = f"http://{HERE}:{origin.server_address[1]}/file"
        assert opener.open(url, timeout=10).read() == b"one" * 100000
        with pytest.raises(urllib.error.HTTPError, match="502"):
            opener.open(f"http://{HERE}:{nobody}/", timeout=10)
        origin.shutdown()
    assert [(request.method, request.status) for request in proxied] == [("GET", 200), ("GET", 502)]
