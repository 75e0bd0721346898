"""What tests of the gate share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.gate.harness import Harness, isolate


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Harness]:
    """Examines changes of the corpus."""
    if shutil.which("pulumi") is None:
        pytest.fail('pulumi is not on PATH. Activate the project\'s environment: eval "$(make -s env)".')
    own = tmp_path_factory.mktemp("gate")
    shared = own if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    # One for all processes: what is compared names files below it.
    home = shared / "home"
    home.mkdir(exist_ok=True)
    for _ in isolate(home):
        yield Harness(shared, own)
