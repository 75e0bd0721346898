from __future__ import annotations

import pytest
from pulumi.runtime.sync_await import _ensure_event_loop

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
