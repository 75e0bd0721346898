"""`crossmesh ask`: the words and the verdict. What servers say is given."""

from __future__ import annotations

import pytest

from access import network
from access.network import NameAnswer, WebAnswer
from access.outputs import GatewayAddress, parse_outputs
from live.ask import Reply, ask
from tests.unit.operations.support import raw_outputs

URL = "https://app.lab.test/orders?late=yes"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, WebAnswer]:
    """Name servers that name two gateways, and what these answer; asked for other things, nobody answers."""
    web = {"10.1.1.1": WebAnswer(200, "all\n well"), "10.1.2.1": WebAnswer(503, "no healthy upstream")}
    named = {"10.101.1.13": NameAnswer(("10.1.1.1", "lb.example.com"), 5)}

    def name_server(server: object, host: str) -> NameAnswer:
        assert host == "app.lab.test"
        return named.get(str(server).partition(":")[0], NameAnswer((), None, "no answer within 4 s"))

    def resolver(gateway: GatewayAddress) -> NameAnswer:
        return NameAnswer(("10.1.2.1",) if gateway.is_name else (str(gateway),), None)

    def gateway(address: str, host: str, path: str, context: object) -> WebAnswer:
        assert (host, path) == ("app.lab.test", "/orders?late=yes")
        return web[address]

    monkeypatch.setattr(network, "ask", name_server)
    monkeypatch.setattr(network, "resolve", resolver)
    monkeypatch.setattr(network, "get_https", gateway)
    monkeypatch.setattr(network, "trusting", lambda certificate: None)
    return web


def test_each_name_server_is_asked_and_then_each_gateway_that_one_names(
    answers: dict[str, WebAnswer],
) -> None:
    outputs = parse_outputs("lab", raw_outputs())
    replies = {reply.who: reply for reply in ask(outputs, URL)}
    assert replies["10.101.1.13:53"].words == "app.lab.test is 10.1.1.1, lb.example.com, for 5 s"
    others = [replies[str(server)] for server in outputs.nameservers if str(server) != "10.101.1.13:53"]
    assert others and all(not reply.well and "no answer within 4 s" in reply.words for reply in others)
    assert replies["10.1.1.1"] == Reply("10.1.1.1", "200 all well", True)
    assert replies["10.1.2.1"] == Reply("10.1.2.1", "503 no healthy upstream", False)


def test_without_name_servers_the_gateways_of_all_regions_are_asked(answers: dict[str, WebAnswer]) -> None:
    raw = {**raw_outputs(), "nameservers": []}
    outputs = parse_outputs("lab", raw)
    for output in outputs.regions.values():
        answers[str(output.gateway_addresses[0])] = WebAnswer(0, problem="refused")
    replies = list(ask(outputs, URL))
    assert {reply.who for reply in replies} == {str(o.gateway_addresses[0]) for o in outputs.regions.values()}
    assert all(reply.words == "refused" and not reply.well for reply in replies)
