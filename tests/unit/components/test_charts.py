"""Rendering: offline, kept, and with nothing of the user's own helm in it. helm is a script here."""

from __future__ import annotations

import json

import pytest

import toolchain
from components import charts

# Taken before other tests of the same worker put something in its place.
from components.charts import istio

HELM = """\
#!/bin/sh
echo "$@" >> {log}
env | grep -E '^(HOME|HELM_|KUBECONFIG)' | sort >> {log}
cat > {values}
cat <<'END'
---
# Source: a template that renders to nothing
---
apiVersion: v1
kind: Service
metadata: {{name: b, namespace: n, annotations: {{}}}}
spec: {{loadBalancerIP: null}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: a}}
spec:
  versions:
  - schema:
      description: prose
      properties: {{description: {{type: string, description: prose}}}}
END
exit {code}
"""


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """Puts a helm into the toolchain that writes down how it was called; returns how to make it fail."""
    (tmp_path / "charts" / "base").mkdir(parents=True)
    (tmp_path / "charts" / "base" / "Chart.yaml").write_text("name: base")
    program = tmp_path / "helm"

    def install(code=0):
        text = HELM.format(log=tmp_path / "log", values=tmp_path / "values", code=code)
        program.write_text(text)
        program.chmod(0o755)

    install()
    monkeypatch.setattr(toolchain, "program", lambda name: program)
    monkeypatch.setattr(toolchain, "data", lambda name, version: tmp_path / "charts")
    monkeypatch.setattr(toolchain, "version", lambda name: "3.0.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HELM_PLUGINS", "/of/the/user")
    monkeypatch.setenv("KUBECONFIG", "/of/the/user")
    return install


def render(values=None):
    return istio(charts.BASE, "istio-base", "n", values or {}, version="1.28.3", kubernetes="1.34.3")


def test_objects_are_sorted_and_without_nulls(helm):
    definition, service = render()
    assert service == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "b", "namespace": "n"},
        "spec": {},
    }
    assert definition["metadata"]["name"] == "a"


def test_definitions_lose_their_prose_and_keep_properties_of_that_name(helm):
    schema = render()[0]["spec"]["versions"][0]["schema"]
    assert schema == {"properties": {"description": {"type": "string"}}}


def test_the_same_chart_is_rendered_once(helm, tmp_path):
    assert render() == render()
    assert (tmp_path / "log").read_text().count("template istio-base") == 1


def test_other_values_or_another_chart_are_rendered_anew(helm, tmp_path):
    render({"a": 1})
    assert json.loads((tmp_path / "values").read_text()) == {"a": 1}
    render({"a": 2})
    (tmp_path / "charts" / "base" / "Chart.yaml").write_text("name: base, changed")
    render({"a": 2})
    assert (tmp_path / "log").read_text().count("template istio-base") == 3


def test_settings_of_the_user_s_helm_do_not_reach_it(helm, tmp_path):
    render()
    assert "/of/the/user" not in (tmp_path / "log").read_text()


def test_a_failure_says_which_chart_and_keeps_nothing(helm, tmp_path):
    helm(code=1)
    with pytest.raises(charts.ChartError, match="chart base, release istio-base: helm template failed"):
        render()
    helm(code=0)
    assert len(render()) == 2


def test_what_is_kept_is_whole_or_not_there(helm, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        render()
    monkeypatch.undo()
    assert not list((tmp_path / "cache").rglob("base-*.json"))
