"""Routes on machines: each thing that a route can declare, by requests that are for it and that are not.

One region, and one platform that goes through: without routes; with them, brought about under a client of
the ingress that there is; every rule asked, good and bad, as `crossmesh exposure` tells it; a Service of
others that is not there; nothing left to do; and taken out again. What others manage is made by hand: two
versions of a small web server that says what it was asked. `make acceptance SUITE=routes` takes some ten
minutes and writes
`docs/acceptance/routes-<date>.json`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from stacks.exposure import EVERYBODY, Row, table
from stacks.system_namespaces import ISTIO_INGRESS
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import fresh
from tests.lab.clients import addresses
from tests.lab.site import Site
from tests.lab.test_7_gate import gate

NAME = os.environ.get("CROSSMESH_ROUTES_STACK", "test-routes")
NAMESPACE, REGION, IMAGE = "greencompute", "eu", "docker.io/crossmesh/tools:1.0.0"
SLOW_SECONDS, TIMEOUT_SECONDS = 8, 2
ASKED, SHARE = 400, 0.2
"""Requests for a rule with two backends, and the share of the second. Of as many it is between 0.1 and 0.3,
but once in a million times."""
SETTLED_SECONDS = 30.0
"""From the end of `up` until gateways have what they were given: istiod pushes it within a second."""

_SCRIPT = f"""\
#!/bin/sh
case "$QUERY_STRING" in *slow*) sleep {SLOW_SECONDS};; esac
printf 'Content-Type: text/plain\\r\\nX-Runtime: echo\\r\\nX-Kept: kept\\r\\n\\r\\n'
printf 'name=%s\\nmethod=%s\\n' "$NAME" "$REQUEST_METHOD"
printf 'agent=%s\\nreferer=%s\\n' "$HTTP_USER_AGENT" "$HTTP_REFERER"
"""


@dataclass(frozen=True)
class Answer:
    """What a client got. `status` is 0 where it got no answer; `problem` then says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    problem: str = ""

    @property
    def said(self) -> dict[str, str]:
        """What the small web server says that it was asked."""
        return dict(line.partition("=")[::2] for line in self.body.splitlines() if "=" in line)


@dataclass
class Platform:
    """The platform and how its gateway is asked."""

    site: Site
    domain: str
    address: str
    authority: str

    def ask(
        self,
        path: str,
        *,
        host: str = "api",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        plain: bool = False,
        seconds: float = 15,
    ) -> Answer:
        """Ask the gateway, over TLS that is verified. host: below the domain. plain: on port 80."""
        name = f"{host}.{self.domain}"
        connection: Any = http.client.HTTPConnection(self.address, 80 if plain else 443, timeout=seconds)
        try:
            if not plain:
                socket_ = socket.create_connection((self.address, 443), timeout=seconds)
                context = ssl.create_default_context(cadata=self.authority)
                connection.sock = context.wrap_socket(socket_, server_hostname=name)
            connection.request(method, path, headers={"Host": name, **(headers or {})})
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, problem=f"{type(error).__name__}: {error}")
        finally:
            connection.close()


def rules(second: str = "echo-two") -> list[dict[str, Any]]:
    """The rules of the route. second: the Service that has a share of one of them."""
    one, two = ({"service": name, "port": 8080} for name in ("echo-one", second))
    echo, application = {"path": "/cgi-bin/echo"}, [{"application": "asset-mgr-ms-svc"}]
    return [
        {**echo, "methods": ["GET"], "backends": [one], "timeout": f"{TIMEOUT_SECONDS}s"},
        {**echo, "headers": {"x-team": "two"}, "backends": [{"service": "echo-two", "port": 8080}]},
        {
            "path": "/shared",
            "backends": [{**one, "weight": 4}, {**two, "weight": 1}],
            "rewrite": {"path": "/cgi-bin/echo"},
        },
        {
            "path": "/changed",
            "backends": [one],
            "rewrite": {"path": "/cgi-bin/echo"},
            "requestHeaders": {"set": {"user-agent": "gateway"}, "remove": ["referer"]},
            "responseHeaders": {"set": {"x-by": "gateway"}, "remove": ["x-runtime"]},
        },
        {"path": "/api", "backends": application, "rewrite": {"prefix": "/assetmgrms"}},
        {
            "path": "/read",
            "methods": ["GET", "HEAD"],
            "backends": application,
            "rewrite": {"path": "/assetmgrms"},
        },
        {"path": "/assetmgrms", "pathType": "Exact", "backends": application},
        {"path": "/old", "redirect": {"prefix": "/api", "status": 301}},
        {"path": "/gone", "redirect": {"path": "/api"}},
    ]


def declared(domain: str, **more: Any) -> dict[str, Any]:
    """Changes of the declaration: a route with two hosts, one of them a wildcard, and one with plain HTTP."""
    application = [{"backends": [{"application": "asset-mgr-ms-svc"}]}]
    api = {"namespace": NAMESPACE, "hosts": [f"api.{domain}", f"*.below.{domain}"], "rules": rules(**more)}
    plain = {
        "namespace": NAMESPACE,
        "hosts": [f"plain.{domain}", f"exact.below.{domain}"],
        "redirectHttp": True,
        "rules": application,
    }
    return {"gatewayApi": "1.4.1", "routes": {"api": api, "plain": plain}}


def web_server(name: str) -> list[tuple[str, dict[str, Any]]]:
    """What others manage: a Deployment and a Service, each with where it is made."""
    labels = {"app": name}
    serve = (
        f"mkdir -p /tmp/www/cgi-bin && cd /tmp/www/cgi-bin && cat > echo <<'END'\n{_SCRIPT}END\n"
        "chmod +x echo && exec httpd -f -p 8080 -h /tmp/www"
    )
    container = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", serve],
        "env": [{"name": "NAME", "value": name}],
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080}]},
    }
    return [
        (f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment),
        (f"/api/v1/namespaces/{NAMESPACE}/services", service),
    ]


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("routes", seconds={})


@pytest.fixture(scope="module")
def platform(report: dict[str, Any]) -> Iterator[Platform]:
    """One region, brought up without routes, with what others manage; nothing of it is left at the end."""
    site = fresh(NAME)
    try:
        document = yaml.safe_load(site.stack_file.read_text())
        del document["config"]["crossmesh:environment"]["regions"]["us"]
        for slices in document["config"]["crossmesh:ledger"].values():
            slices.pop("us", None)
        site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        report["seconds"]["up"] = round(site.up("--skip-preview").seconds, 1)
        with site.clusters() as clusters:
            for name in ("echo-one", "echo-two"):
                for path, content in web_server(name):
                    clusters[REGION].post(path, content)
        outputs = site.outputs()
        address = str(outputs.regions[REGION].gateway_addresses[0])
        yield Platform(site, site.declaration().environment.domain, address, outputs.ca_certificate)
        site.destroy()
    finally:
        site.stop()


@dataclass
class Asking:
    """Asks for the host of the ingress all the time, over new connections; notes what it does not get."""

    platform: Platform
    answered: int = 0
    problems: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        while not self.over.wait(0.1):
            answer = self.platform.ask("/assetconsumer", host="assetmanagement.greencompute", seconds=4)
            if answer.status == 200:
                self.answered += 1
            else:
                self.problems.append(f"{time.strftime('%H:%M:%S')} {answer.status} {answer.problem}")


def gateway_pods(site: Site) -> dict[str, str]:
    """The gateway's containers by pod: another one is a restart."""
    with site.clusters() as clusters:
        pods = clusters[REGION].core.list_namespaced_pod(ISTIO_INGRESS, _request_timeout=10).items
    return {
        pod.metadata.name: ", ".join(str(entry.container_id) for entry in pod.status.container_statuses)
        for pod in pods
    }


@pytest.fixture(scope="module")
def routed(platform: Platform, report: dict[str, Any]) -> Iterator[Platform]:
    """With routes, which are brought about under a client of what there was."""
    site, asking = platform.site, Asking(platform)
    before = gateway_pods(site)
    with ExitStack() as undo:
        undo.enter_context(site.changed_declaration(declared(platform.domain)))
        thread = threading.Thread(target=asking.work, daemon=True)
        thread.start()
        try:
            ended = site.up("--skip-preview", check=False)
            time.sleep(3)
        finally:
            asking.over.set()
            thread.join(15)
        report["seconds"]["routes"] = round(ended.seconds, 1)
        report["ingressWhileRoutesCame"] = {"answered": asking.answered, "not": asking.problems}
        assert ended.returncode == 0, ended.words[-4000:]
        assert gateway_pods(site) == before, "the gateway's pods are other ones"
        yield platform


def expect(platform: Platform, status: int, path: str, **request: Any) -> Answer:
    """Ask until the status is the one that is wanted, for as long as gateways may take; the answer.

    Fails with what came instead, and what istiod says of the routes.
    """
    began, answer = time.monotonic(), platform.ask(path, **request)
    while answer.status != status and time.monotonic() - began < SETTLED_SECONDS:
        time.sleep(0.5)
        answer = platform.ask(path, **request)
    assert answer.status == status, f"{path} {request}: {answer}\n{words_of_istiod(platform.site)}"
    return answer


def words_of_istiod(site: Site) -> str:
    """The conditions of all routes and gateways, as far as they can be read."""
    with site.clusters() as clusters:
        api = "/apis/gateway.networking.k8s.io/v1"
        found = [
            (clusters[REGION].get(f"{api}/{kind}") or {}).get("items") or ()
            for kind in ("gateways", "httproutes")
        ]
    return json.dumps(
        [{entry["metadata"]["name"]: entry.get("status")} for each in found for entry in each], indent=1
    )


# -- there
# ------------------------------------------------------------------------------------------------------------


def test_without_routes_their_hosts_are_not_answered(platform: Platform) -> None:
    assert platform.ask("/api").status == 0
    assert platform.ask("/assetconsumer", host="assetmanagement.greencompute").status == 200


def test_what_was_there_is_not_disturbed(routed: Platform, report: dict[str, Any]) -> None:
    seen = report["ingressWhileRoutesCame"]
    assert seen["answered"] > 20 and not seen["not"], seen


def test_istiod_has_taken_the_routes_and_the_doctor_is_content(routed: Platform) -> None:
    expect(routed, 200, "/api")
    said = json.loads(routed.site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]["findings"]
    bad = [found for found in said if found["status"] != "pass"]
    assert not bad, json.dumps(bad, indent=1)
    assert {f"doctor/route/{REGION}/api", f"doctor/route/{REGION}/plain"} <= {found["rule"] for found in said}


def test_name_servers_answer_the_hosts(routed: Platform) -> None:
    (server,) = routed.site.outputs().nameservers
    for host in ("api", "any.below", "exact.below", "plain"):
        answered, _ = addresses(server, f"{host}.{routed.domain}")
        assert answered == {routed.address}, host


# -- which requests
# ------------------------------------------------------------------------------------------------------------


def test_methods(routed: Platform) -> None:
    assert expect(routed, 200, "/cgi-bin/echo").said["method"] == "GET"
    for method in ("GET", "HEAD"):
        expect(routed, 200, "/read", method=method)
    for path, method in (("/cgi-bin/echo", "DELETE"), ("/read", "POST"), ("/read", "PUT")):
        assert routed.ask(path, method=method).status == 404, (path, method)


def test_headers(routed: Platform) -> None:
    # A rule with a method comes before one with a header.
    assert expect(routed, 200, "/cgi-bin/echo", headers={"X-Team": "two"}).said["name"] == "echo-one"
    answer = expect(routed, 200, "/cgi-bin/echo", method="POST", headers={"X-Team": "two"})
    assert answer.said["name"] == "echo-two"
    for other in ({"X-Team": "three"}, {}):
        assert routed.ask("/cgi-bin/echo", method="POST", headers=other).status == 404, other


def test_exact_paths_and_prefixes_of_whole_segments(routed: Platform) -> None:
    assert json.loads(expect(routed, 200, "/assetmgrms").body)["service"] == "asset-mgr-ms-svc"
    for path in ("/assetmgrms/assets", "/apis", "/", "/nothing"):
        assert routed.ask(path).status == 404, path


def test_hosts_wildcards_and_the_more_exact_host(routed: Platform) -> None:
    expect(routed, 200, "/api", host="any.below")
    # It is another route's, which has no such rule but leads everything to the application.
    assert routed.ask("/api", host="exact.below").status == 404
    expect(routed, 200, "/assetmgrms", host="exact.below")
    refused = routed.ask("/api", host="undeclared")
    assert refused.status == 0, refused


# -- what is done with them
# ------------------------------------------------------------------------------------------------------------


def test_weights(routed: Platform, report: dict[str, Any]) -> None:
    expect(routed, 200, "/shared")
    names = Counter(routed.ask("/shared").said.get("name", "none") for _ in range(ASKED))
    report["weights"] = dict(names)
    assert names.keys() == {"echo-one", "echo-two"}, names
    assert SHARE - 0.1 < names["echo-two"] / ASKED < SHARE + 0.1, names


def test_rewrites(routed: Platform) -> None:
    assert json.loads(expect(routed, 200, "/api").body)["path"] == "/assetmgrms"
    listed = expect(routed, 200, "/api/assets")
    assert "service" not in listed.body, f"the list of assets was meant: {listed}"
    assert expect(routed, 200, "/shared/any/path").said["method"] == "GET"


def test_redirects(routed: Platform) -> None:
    answer = expect(routed, 301, "/old/assets")
    assert answer.headers["location"].endswith(f"api.{routed.domain}/api/assets"), answer
    answer = expect(routed, 302, "/gone/away")
    assert answer.headers["location"].endswith(f"api.{routed.domain}/api"), answer


def test_plain_http_is_redirected_where_it_is_declared_and_refused_else(routed: Platform) -> None:
    answer = expect(routed, 301, "/any", host="plain", plain=True)
    assert answer.headers["location"] == f"https://plain.{routed.domain}/any", answer
    for host in ("api", "any.below", "assetmanagement.greencompute"):
        assert routed.ask("/api", host=host, plain=True).status == 403, host


def test_time_outs(routed: Platform) -> None:
    expect(routed, 200, "/cgi-bin/echo")
    began = time.monotonic()
    answer = routed.ask("/cgi-bin/echo?slow")
    seconds = time.monotonic() - began
    assert answer.status == 504, answer
    assert TIMEOUT_SECONDS - 0.5 < seconds < SLOW_SECONDS - 1, f"after {seconds:.1f} s"
    patient = routed.ask("/cgi-bin/echo?slow", method="POST", headers={"X-Team": "two"})
    assert patient.status == 200, f"a rule without a time-out waits: {patient}"


def test_headers_of_requests_and_answers_are_changed(routed: Platform) -> None:
    sent = {"User-Agent": "client", "Referer": "https://example.com/"}
    plain = expect(routed, 200, "/cgi-bin/echo", headers=sent)
    assert (plain.said["agent"], plain.said["referer"]) == ("client", "https://example.com/"), plain
    assert (plain.headers.get("x-runtime"), plain.headers.get("x-by")) == ("echo", None), plain
    changed = expect(routed, 200, "/changed", headers=sent)
    assert (changed.said["agent"], changed.said["referer"]) == ("gateway", ""), changed
    assert (changed.headers.get("x-runtime"), changed.headers.get("x-by")) == (None, "gateway"), changed
    assert changed.headers.get("x-kept") == "kept", changed


def proven(platform: Platform, row: Row) -> str:
    """What a request of a row gets that is against the row; empty where it is as the row says."""
    suffix = f".{platform.domain}"
    host = row.host.replace("*", "any", 1).removesuffix(suffix)
    method = (row.methods or ("GET",))[0]
    answer = platform.ask(
        row.path, host=host, method=method, headers=dict(row.headers), plain=row.scheme == "http"
    )
    wanted = {int(row.redirect[:3])} if row.redirect else {200}
    # The web servers of the tests have one path, and the applications their own.
    taken = {200, 404} if not row.redirect and row.path == "/" else wanted
    return "" if answer.status in taken else f"{row.scheme}://{row.host}{row.path} {row.asked}: {answer}"


def test_every_row_of_the_table_of_exposure_is_so(routed: Platform) -> None:
    rows = table(routed.site.declaration().environment)
    shown = json.loads(routed.site.crossmesh("exposure", "--json").stdout)["rows"]
    assert len(shown) == len(rows) > 20
    assert {row["callers"] for row in shown} == {EVERYBODY}
    wrong = [words for row in rows if (words := proven(routed, row))]
    assert not wrong, "\n".join(wrong)


# -- what is not there, nothing to do, and gone
# ------------------------------------------------------------------------------------------------------------


def test_a_second_up_changes_nothing(routed: Platform) -> None:
    ended = routed.site.pulumi(
        "up", "--yes", "--skip-preview", "--expect-no-changes", timeout=600, check=False
    )
    assert ended.returncode == 0, ended.words[-4000:]
    drift = routed.site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]


def test_a_service_of_others_that_is_not_there_is_told_by_gate_and_doctor(routed: Platform) -> None:
    site = routed.site
    with site.changed_declaration(declared(routed.domain, second="echo-three")):
        ended, answer = gate(site)
        words = [found["message"] for found in answer["findings"] if found["rule"] == "change/route-targets"]
        assert any("there is no service greencompute/echo-three in this change" in each for each in words), (
            ended
        )
        site.up("--skip-preview")
        found = json.loads(site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]["findings"]
        (told,) = (each for each in found if each["rule"] == f"doctor/route/{REGION}/api")
        assert told["status"] == "fail" and "echo-three" in json.dumps(told), told
        # Whose rule it is not is served as before.
        expect(routed, 200, "/api")
    site.up("--skip-preview")
    expect(routed, 200, "/shared")


def test_routes_that_are_taken_out_are_answered_no_more_and_definitions_stay(
    routed: Platform, report: dict[str, Any]
) -> None:
    site = routed.site
    with site.changed_declaration({"gatewayApi": "owner", "routes": {}}):
        ended = site.up("--skip-preview")
        report["seconds"]["routesGone"] = round(ended.seconds, 1)
        expect(routed, 0, "/api")
        assert routed.ask("/assetconsumer", host="assetmanagement.greencompute").status == 200
        with site.clusters() as clusters:
            path = (
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io"
            )
            assert clusters[REGION].get(path) is not None
            routes = clusters[REGION].get("/apis/gateway.networking.k8s.io/v1/httproutes")
        assert routes is not None and not routes["items"], routes
    site.up("--skip-preview")
    expect(routed, 200, "/api")
