"""Whatever a region is made of, its twin is a declaration, with an address for each machine."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.crew import crew
from rehearsal.twin import twin
from stacks.ledger import Ledger
from tests.unit.rehearsal.support import declared, nodes, placed, reference, region


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.integers(0, 6), st.integers(1, 60))
def test_every_shape_of_a_region_has_a_twin_that_is_a_model(control: int, workers: int, size: int) -> None:
    its = nodes("eu", control_planes=1 + 2 * min(control, 2), workers=workers)
    environment = declared(
        {"eu": region(its, loadBalancer={"first": "192.0.2.190", "last": f"192.0.2.{189 + size}"})}
    )
    chosen = crew([environment])
    made = twin(environment, Ledger(), chosen, placed(chosen), reference())
    found = made.environment.regions["eu"]
    assert found.load_balancer is not None
    assert int(found.load_balancer.last) - int(found.load_balancer.first) == min(size, 50) - 1
    assert len({host.address for host in found.hosts.values()}) == len(found.hosts)
