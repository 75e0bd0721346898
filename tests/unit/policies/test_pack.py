"""The pack as the engine meets it: a program that serves its policies, with waivers taken into account."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.pack import POLICIES
from stacks.load import PROJECT
from tests.unit.policies.support import changed, urn_of, web

pytestmark = pytest.mark.timeout(60)

Serve = Callable[[str], AbstractContextManager[Any]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts the pack in a copy of the project with other waivers, as the language host does."""

    @contextmanager
    def serving(waivers: str) -> Iterator[Any]:
        for name in ("components", "policies", "releases", "report", "stacks"):
            shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / "policies" / "waivers.yaml").write_text(waivers)
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(tmp_path / "policies" / ".")],
            cwd=tmp_path,
            env={"PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            port = process.stdout.readline().strip()
            assert port, process.stderr.read()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    return serving


def asked(stub: Any, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Names of the policies that an object breaks, with what they say."""
    properties = struct_pb2.Struct()
    properties.update(manifest)
    urn = urn_of(manifest)
    request = analyzer_pb2.AnalyzeRequest(
        type=urn.split("::")[2], properties=properties, urn=urn, name=urn.rpartition("::")[2]
    )
    return [(found.policyName, found.message) for found in stub.Analyze(request).diagnostics]


def bad() -> dict[str, Any]:
    return changed(web()[2], "registry.example.com/web", "spec", "template", "spec", "containers", 0, "image")


WAIVER = [
    {
        "rule": "policy/images-pinned",
        "resource": "eu.shop.web",
        "owner": "shop-team",
        "reason": "the supplier publishes no tags",
        "expires": date.today() + timedelta(days=1),
    }
]


def test_the_engine_is_told_what_an_object_breaks(serve: Serve) -> None:
    with serve("") as stub:
        info = stub.GetAnalyzerInfo(struct_pb2.Value())
        assert sorted(policy.name for policy in info.policies) == sorted(policy.name for policy in POLICIES)
        assert asked(stub, web()[2]) == []
        ((name, message),) = asked(stub, bad())
        assert name == "images-pinned"
        assert "registry.example.com/web" in message


def test_what_is_waived_is_not_said(serve: Serve) -> None:
    with serve(yaml.safe_dump(WAIVER)) as stub:
        assert asked(stub, bad()) == []
        assert len(asked(stub, changed(bad(), "api", "metadata", "name"))) == 1


def test_a_waiver_that_has_ended_silences_nothing(serve: Serve) -> None:
    with serve(yaml.safe_dump([{**WAIVER[0], "expires": date.today() - timedelta(days=1)}])) as stub:
        assert len(asked(stub, bad())) == 1


def test_names_are_apart_and_every_policy_says_how_to_satisfy_it() -> None:
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
    for policy in POLICIES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", policy.name)
        assert len(policy.remediation_steps) > 80
