"""The table of what is exposed: every row of it, in the order in which gateways try them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.exposure import answering, document, table
from stacks.model import Environment
from tests.unit.components.declared import changed, declaration

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "exposure.json"


def declared() -> Any:
    """A declaration with ingresses and a route of every kind of rule."""
    found = changed(declaration(), "ingresses.shop.redirectHttp", True)
    found = changed(found, "ingresses.apart.public", "It asks for a login itself.")
    found = changed(found, "routes.api.hosts", ["api.example.test", "*.api.example.test"])
    return changed(found, "routes.api.rules.3.pathType", "Exact")


ROWS = table(Environment.model_validate(declared()))


def test_the_table_is_the_recorded_one() -> None:
    text = json.dumps(document(ROWS), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "it differs; if that is meant, record it with UPDATE_GOLDEN=1"


@pytest.mark.parametrize(
    ("host", "path", "request_", "leads"),
    [
        ("shop.example.test", "/cart", {}, "shop/front:8080"),
        ("shop.example.test", "/cart/1", {}, "shop/front:8080"),
        ("shop.example.test", "/carts", {}, None),
        ("elsewhere.example.test", "/cart", {}, None),
        ("api.example.test", "/v1", {}, None),
        (
            "api.example.test",
            "/v1",
            {"headers": [("X-Team", "one")]},
            "shop/front:8080 90%, shop/legacy:80 10%",
        ),
        ("api.example.test", "/v1", {"headers": [("x-team", "two")]}, None),
        ("api.example.test", "/v1", {"method": "POST", "headers": [("x-team", "one")]}, None),
        ("a.api.example.test", "/old/x", {}, "301 to www.example.test/new/…"),
        ("a.b.api.example.test", "/other", {}, "302 to /v1"),
        ("api.example.test", "/whole", {}, "shop/stock:8080"),
        ("api.example.test", "/whole/more", {}, None),
    ],
)
def test_a_request_has_the_row_that_is_for_it(
    host: str, path: str, request_: dict[str, Any], leads: str | None
) -> None:
    row = answering(ROWS, "https", host, path, **request_)
    assert (row and row.leads) == leads


def test_plain_requests_are_redirected_where_that_is_declared_and_nowhere_else() -> None:
    row = answering(ROWS, "http", "shop.example.test", "/anything")
    assert row is not None and row.leads == "301 to https"
    assert answering(ROWS, "http", "api.example.test", "/v1") is None


def test_who_may_call_is_told_with_the_reason_that_is_declared() -> None:
    assert {row.why for row in ROWS if row.host == "apart.example.test"} == {"It asks for a login itself."}
    assert {(row.callers, row.why) for row in ROWS if row.host == "api.example.test"} == {("everybody", "")}


def test_a_host_that_is_named_exactly_has_all_its_requests() -> None:
    routes = {
        "wide": {
            "namespace": "shop",
            "hosts": ["*.w.example.test"],
            "rules": [{"path": "/a"}, {"path": "/b"}],
        },
        "one": {"namespace": "shop", "hosts": ["x.w.example.test"], "rules": [{"path": "/a"}]},
    }
    for route in routes.values():
        for rule in route["rules"]:
            rule["backends"] = [{"application": "front"}]
    rows = table(Environment.model_validate(declared() | {"routes": routes}))
    assert answering(rows, "https", "y.w.example.test", "/b") is not None
    assert answering(rows, "https", "x.w.example.test", "/b") is None
    row = answering(rows, "https", "x.w.example.test", "/a")
    assert row is not None and row.declared == "routes.one.rules[0]"


SEGMENTS = st.lists(st.sampled_from(["a", "b"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "path": SEGMENTS,
            "pathType": st.sampled_from(["Prefix", "Exact"]),
            "methods": st.sampled_from([[], ["GET"], ["POST"], ["GET", "POST"]]),
            "headers": st.sampled_from([{}, {"x-a": "1"}, {"x-a": "1", "x-b": "2"}]),
        }
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(
    rules=RULES,
    path=SEGMENTS,
    method=st.sampled_from(["GET", "POST"]),
    headers=st.sampled_from([(), (("x-a", "1"),), (("x-a", "1"), ("x-b", "2"))]),
)
def test_no_row_that_is_for_a_request_is_more_exact_than_the_one_that_it_has(
    rules: list[dict[str, Any]], path: str, method: str, headers: tuple[tuple[str, str], ...]
) -> None:
    route = {
        "namespace": "shop",
        "hosts": ["api.example.test"],
        "rules": [{**rule, "backends": [{"application": "front"}]} for rule in rules],
    }
    rows = table(Environment.model_validate(declared() | {"routes": {"api": route}}))
    request = {"method": method, "headers": headers}
    found = answering(rows, "https", "api.example.test", path, **request)
    fitting = [
        row for row in rows if row.scheme == "https" and row.matches("api.example.test", path, **request)
    ]
    assert (found is None) == (not fitting)
    if found is not None:
        assert found.exact or not any(row.exact for row in fitting)
        alike = [row for row in fitting if row.exact == found.exact]
        longest = max(len(row.path.rstrip("/")) for row in alike)
        assert len(found.path.rstrip("/")) == longest
        alike = [row for row in alike if len(row.path.rstrip("/")) == longest]
        assert found.methods or not any(row.methods for row in alike)
        alike = [row for row in alike if bool(row.methods) == bool(found.methods)]
        assert len(found.headers) == max(len(row.headers) for row in alike)
