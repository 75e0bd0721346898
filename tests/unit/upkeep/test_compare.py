"""What differs between two releases: objects, definitions, settings that charts lost, configurations."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import releases
from components import charts
from components.manifests import Manifest
from report.exit_codes import ExitCode
from tests.unit.upkeep import conftest as sources
from upkeep import compare, difference, settings
from upkeep.command import main
from upkeep.compare import Side
from upkeep.difference import Change
from upkeep.settings import Lost

ROLE: Manifest = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "reader", "labels": {"version": "1.2.3"}},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    ],
}
DEFINITION: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "peers.example.org"},
    "spec": {
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"properties": {"spec": {"properties": {"a": {"type": "string"}}}}}
                },
            }
        ],
    },
}


def changed(manifest: Manifest, at: tuple[str | int, ...], value: Any) -> Manifest:
    """A copy with another value somewhere."""
    made = copy.deepcopy(manifest)
    place: Any = made
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return made


def test_objects_come_and_go_and_change_their_api_version() -> None:
    other = changed(ROLE, ("metadata", "name"), "writer")
    moved = changed(ROLE, ("apiVersion",), "rbac.authorization.k8s.io/v2")
    found = difference.objects([ROLE, DEFINITION], [moved, other])
    assert found.came == ("ClusterRole writer",)
    assert found.went == ("CustomResourceDefinition peers.example.org",)
    assert found.api_versions == (Change("ClusterRole reader", ROLE["apiVersion"], moved["apiVersion"]),)
    assert found.changed == {}


def test_a_rule_that_got_a_resource_more_is_one_change_wherever_it_stands() -> None:
    rules = [ROLE["rules"][1], {**ROLE["rules"][0], "resources": ["configmaps", "pods", "secrets"]}]
    found = difference.objects([ROLE], [{**ROLE, "rules": rules}])
    assert found.changed == {"ClusterRole reader": (Change("rules[].resources[]", None, "configmaps"),)}


def test_entries_that_have_little_in_common_came_and_went() -> None:
    rules = [ROLE["rules"][0], {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    (changes,) = difference.objects([ROLE], [{**ROLE, "rules": rules}]).changed.values()
    assert [(one.before is None, one.after is None) for one in changes] == [(False, True), (True, False)]


def test_containers_are_told_from_each_other_by_their_names() -> None:
    before = [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]
    after = [{"name": "b", "image": "y:2"}, {"name": "a", "image": "x:1"}]
    assert list(difference.changes(before, after, "containers")) == [
        Change("containers[b].image", "y:1", "y:2")
    ]


def test_a_release_s_own_version_is_no_difference_and_another_one_is() -> None:
    said = {"image": "docker.io/istio/pilot:1.2.3", "chart": "base-1.2.3", "other": ["11.2.3", "1.2.30", 1]}
    assert difference.without("1.2.3", said) == {
        "image": "docker.io/istio/pilot:VERSION",
        "chart": "base-VERSION",
        "other": ["11.2.3", "1.2.30", 1],
    }


def test_of_a_definition_is_told_which_fields_and_versions_came_and_went() -> None:
    schema = ("spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "properties")
    wider = changed(DEFINITION, schema, {"b": {"items": {"properties": {"c": {"properties": {"d": {}}}}}}})
    later = changed(wider, ("spec", "versions", 0, "storage"), False)
    later["spec"]["versions"].append({"name": "v2", "served": True, "storage": True})
    later["spec"]["scope"] = "Cluster"
    (found,) = difference.objects([DEFINITION], [later]).definitions
    assert found.went == ("v1 spec.a",)
    assert found.came == ("v1 spec.b",), "what lies in it is not said again"
    assert found.versions == (Change("v1", "served, stored", "served"), Change("v2", None, "served, stored"))
    assert found.changed == (Change("spec.scope", "Namespaced", "Cluster"),)


def chart(root: Path, values: str) -> Path:
    """A directory of charts with one chart, of these defaults."""
    (root / "istiod").mkdir(parents=True)
    (root / "istiod" / "values.yaml").write_text(values)
    return root


def test_a_setting_that_the_chart_neither_names_nor_heeds_any_more_is_lost(tmp_path: Path) -> None:
    before = chart(tmp_path / "before", "defaults: {replicas: 1, mesh: {}, old: 1}")
    after = chart(tmp_path / "after", "_internal_defaults_do_not_set: {replicas: 1, mesh: {}}")
    heeded = {before: {"replicas", "domain", "id", "old"}, after: {"replicas", "domain", "old"}}

    def render(root: Path, values: Mapping[str, Any]) -> list[Manifest]:
        flat = {**values, **values["mesh"]}
        deployment = {"kind": "Deployment", "spec": {key: flat[key] for key in heeded[root] & flat.keys()}}
        return [deployment, {"kind": "ConfigMap", "data": {"merged-values": json.dumps(values)}}]

    values = {"replicas": 2, "old": 2, "mesh": {"domain": "mesh.example", "id": "mesh", "never": True}}
    assert list(settings.lost("istiod", values, before, after, render)) == [
        Lost("istiod", "old", heeded=True),
        Lost("istiod", "mesh.id", heeded=False),
    ]


ISTIO = releases.release("istio", "1.28.3")


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Side, Side]:
    """Two releases whose charts render what their values.yaml says: the later one has a role more."""
    sides = []
    for name in ("before", "after"):
        for one in (charts.BASE, charts.ISTIOD, charts.GATEWAY):
            file = tmp_path / name / "manifests/charts" / one / "values.yaml"
            file.parent.mkdir(parents=True)
            file.write_text("{}")
        sides.append(Side(ISTIO, tmp_path / name))

    def render(root: Path, one: str, *arguments: Any, kubernetes: str) -> list[Manifest]:
        assert kubernetes == "1.30"
        roles = [ROLE, changed(ROLE, ("metadata", "name"), "new")] if "after" in str(root) else [ROLE]
        return roles if one == charts.BASE else []

    monkeypatch.setattr(charts, "rendered", render)
    return sides[0], sides[1]


def test_charts_are_rendered_side_by_side(rendered: tuple[Side, Side]) -> None:
    found = compare.compare(*rendered)
    assert (found.objects.came, found.settings, found.open) == (("ClusterRole new",), (), ())


def test_charts_that_refuse_what_is_set_say_so(
    rendered: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **more: Any) -> list[Manifest]:
        raise charts.ChartError("chart gateway: unknown field `service.ports`")

    monkeypatch.setattr(charts, "rendered", refuse)
    (words,) = compare.compare(*rendered).open
    assert "unknown field `service.ports`" in words


def test_what_this_project_changes_in_metallb_s_objects_is_missed_where_it_is_gone(tmp_path: Path) -> None:
    release = releases.release("metallb", "0.16.1")
    before, after = (sources.metallb(tmp_path / name, "v0.16.1") for name in ("before", "after"))
    (webhook,) = (
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "webhook"},
            "webhooks": [{"name": "pools", "clientConfig": {"service": {}}}],
        },
    )
    manifests = before / "config/manifests/metallb-native.yaml"
    manifests.write_text(manifests.read_text() + "\n---\n" + json.dumps(webhook))
    found = compare.compare(Side(release, before), Side(release, after))
    place = "ValidatingWebhookConfiguration webhook: webhooks[pools].clientConfig.caBundle"
    assert found.settings == (Lost("metallb-native", place, heeded=False),)
    assert found.objects.went == ("ValidatingWebhookConfiguration webhook",)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", *arguments])


def test_of_two_minors_of_kubernetes_gates_fields_and_defaults_are_told_losses_first() -> None:
    result = run("kubernetes", "1.34.9", "1.35.3")
    assert result.exit_code == ExitCode.CLEAN
    lines = [line.strip() for line in result.output.splitlines()]
    assert "~ brings.etcd: 3.6.5 → 3.6.6" in lines
    gone = lines.index('- featureGates.ComponentSLIs: {"enum": [true], "type": "boolean"}')
    assert gone < lines.index("~ default kubelet.failCgroupV1: false → true")
    found = json.loads(run("kubernetes", "1.34.9", "1.35.3", "--json").stdout)
    assert {"path": "default kubelet.failCgroupV1", "before": False, "after": True} in found["configuration"]


def test_of_two_minors_of_kubernetes_is_told_what_api_servers_serve() -> None:
    lines = [line.strip() for line in run("kubernetes", "1.34.9", "1.35.3").output.splitlines()]
    assert "- storage.k8s.io/v1alpha1 VolumeAttributesClass: on request, deprecated since 1.32" in lines
    assert "+ certificates.k8s.io/v1beta1 PodCertificateRequest: on request" in lines


def test_a_minor_of_kubernetes_that_nobody_described_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    before = Side(releases.release("kubernetes", "1.35.3"), tmp_path)
    after = Side(replace(before.release, version="1.99.0", module="kubernetes-1.99.0"), tmp_path)
    (words,) = compare.compare(before, after).open
    assert words == (
        "`make configurations MODULE=toolchain/modules/kubernetes-1.99.0`, "
        "`make served MODULE=toolchain/modules/kubernetes-1.99.0`, then "
        "`python -m releases compare kubernetes 1.35.3 1.99.0`"
    )


def test_of_one_minor_of_kubernetes_there_is_one_description() -> None:
    assert "described by minor version: 1.34 of both" in run("kubernetes", "1.34.3", "1.34.9").output


def test_a_release_that_is_not_in_the_catalogue_is_refused() -> None:
    result = run("kubernetes", "1.34.3", "1.0.0")
    assert result.exit_code == ExitCode.USAGE
    assert "not among the supported releases" in result.output
