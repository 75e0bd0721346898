"""Values that are known late, or never."""

from __future__ import annotations

from pulumi import Output
from pulumi.runtime.sync_await import _sync_await

from components.component import late
from components.network.load_balancer_pool import gateway_address


def _value(output):
    return _sync_await(output.future())


def test_what_is_there_is_made_into_one():
    assert _value(late(lambda a, b: a + b, a=Output.from_input("x"), b="y")) == "xy"


def test_what_target_leaves_out_makes_nothing_instead_of_an_error():
    assert _value(late(lambda a, b: a + b, a=Output.from_input(None), b="y")) is None
    assert _value(gateway_address(Output.from_input(None))) is None


def test_a_secret_makes_a_secret():
    assert _sync_await(late(lambda a: a, a=Output.secret("x")).is_secret())
