from __future__ import annotations

import copy
import json
import shutil

import pytest
from pulumi.runtime.sync_await import _ensure_event_loop

import releases
from components import charts
from components.platform import Platform
from tests.unit.components import support


@pytest.fixture(autouse=True)
def event_loop() -> None:
    """A test of another kind on the same worker may have closed its loop and left none."""
    _ensure_event_loop()


@pytest.fixture(scope="session")
def small_charts():
    """Charts that need no program: what becomes of objects is tested here, not what charts render."""
    patch = pytest.MonkeyPatch()
    patch.setattr(charts, "istio", support.chart)
    patch.setattr(charts, "metallb", support.metallb)
    patch.setattr(charts, "gateway_api", support.gateway_api)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def stack():
    return support.reference_stack()


@pytest.fixture(scope="session")
def up(small_charts, stack):
    """The reference platform as `up` registers it."""
    return support.run(lambda: Platform("lab", stack, "root key").outputs, preview=False)


@pytest.fixture(scope="session")
def preview(small_charts, stack):
    """The reference platform as a preview registers it, when nothing exists yet."""
    return support.run(lambda: _no_outputs(Platform("lab", stack, "root key")), preview=True)


def _no_outputs(platform: Platform) -> None:
    # What is unknown cannot be awaited.
    return None


def _rendered(chart, release, namespace, values, **how):
    """What a chart renders depends on its values and on its own version."""
    objects = copy.deepcopy(support.chart(chart, release, namespace, values, **how))
    objects[0]["metadata"]["annotations"] = {
        "made-of": json.dumps([values, how], sort_keys=True, default=str)
    }
    return objects


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """A catalogue that has one release more of each program."""
    root = tmp_path_factory.mktemp("catalogue") / "releases"
    shutil.copytree(releases.ROOT, root)
    for program, version in (("kubernetes", "1.35.4"), ("istio", "1.29.2"), ("metallb", "0.16.2")):
        default = releases.default(program)
        file = root / program / f"{default}.toml"
        file.with_name(f"{version}.toml").write_text(file.read_text().replace(default, version))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releases, "ROOT", root)
        patch.setattr(charts, "istio", _rendered)
        patch.setattr(charts, "metallb", support.metallb)
        patch.setattr(charts, "gateway_api", support.gateway_api)
        yield
