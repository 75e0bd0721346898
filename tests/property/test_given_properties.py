"""Names of certificates and chains, over many that nobody would write by hand."""

from __future__ import annotations

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from stacks.given import Parts, examine
from stacks.pem import Text, covers
from tests.unit.stacks.pki import HOST, LEAF, LOWER, MIDDLE, NOW, ROOT, Pair

LABELS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4)


@drawn(LABELS, st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4))
@settings(max_examples=300)
def test_what_a_name_covers_has_as_many_labels_all_but_the_first_alike(
    name: list[str], host: list[str]
) -> None:
    if covers(".".join(name), ".".join(host)):
        assert name[1:] == host[1:]
        assert name[0] in ("*", host[0])


@drawn(st.permutations([LEAF, LOWER, MIDDLE, ROOT]), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_however_a_chain_is_cut_into_files_the_same_is_shown(pairs: list[Pair], at: int) -> None:
    first, rest = (Text("file.pem", "".join(pair.pem for pair in each)) for each in (pairs[:at], pairs[at:]))
    parts = Parts(
        first, Text("key.pem", LEAF.key_pem), rest if pairs[at:] else None, Text("ca.pem", ROOT.pem)
    )
    found, complaints = examine((HOST,), parts, NOW)
    assert found is not None and not complaints
    assert found.chain == LEAF.pem + LOWER.pem + MIDDLE.pem
