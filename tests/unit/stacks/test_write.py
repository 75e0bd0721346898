"""Writing into stack files: the part that is meant changes, every other byte stays."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from stacks.errors import StackFileError
from stacks.ledger import Ledger, assign
from stacks.load import load_stack
from stacks.write import copy_secrets, remove_secrets, write_ledger
from tests.unit.stacks.conftest import GOOD, changed

Write = Callable[[str], Path]
US_WORKER = "            us-worker-1: {address: 192.0.2.72, role: worker}\n"


def difference(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def fill(path: Path) -> tuple[str, str]:
    """Write what is missing in the ledger; the text before and after."""
    before = path.read_text()
    stack = load_stack(path, require_ledger=False)
    full = assign(stack.environment, stack.ledger)
    write_ledger(path, full)
    assert load_stack(path).ledger == full
    return before, path.read_text()


def test_a_new_node_changes_the_line_of_its_region(write: Write) -> None:
    two = US_WORKER + US_WORKER.replace("us-worker-1", "us-worker-2").replace(".72", ".73")
    before, after = fill(write(changed((US_WORKER, two))))
    assert difference(before, after) == [
        "-      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}",
        "+      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24, us-worker-2: 172.30.18.0/24}",
    ]


def test_a_ledger_that_is_complete_changes_nothing(write: Write) -> None:
    before, after = fill(write(GOOD))
    assert after == before


def test_a_file_without_a_ledger_gets_one_at_the_end_of_its_configuration(write: Write) -> None:
    text = GOOD[: GOOD.index("  crossmesh:ledger:")]
    before, after = fill(write(text.rstrip("\n")))
    assert after == before + "\n\n" + (
        "  # Who has which slice of the pools. Written by `crossmesh ledger`, append-only: "
        "a slice never moves.\n" + GOOD[GOOD.index("  crossmesh:ledger:") :]
    )


def test_comments_and_unusual_formatting_are_kept(write: Write) -> None:
    text = (
        changed(
            ("    clusters:\n", "    # eu was first\n    clusters:   # both\n"),
            (
                "      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}\n",
                "      us:\n        # the old rack\n"
                "        us-cp-1: 172.30.16.0/24   # kept\n\n        # end\n",
            ),
            ("    domain: example.test", "    domain:    'example.test'  # ours"),
            ("    namespaces:\n", "\n\n    # spaces\n    namespaces:\n"),
        )
        + "# the end\n"
    )
    before, after = fill(write(text))
    assert difference(before, after) == ["+        us-worker-1: 172.30.17.0/24"]


def test_a_line_that_would_be_too_long_becomes_one_line_for_each_entry(write: Write) -> None:
    more = "".join(
        US_WORKER.replace("us-worker-1", f"us-worker-{n}").replace(".72", f".{71 + n}") for n in range(2, 6)
    )
    _, after = fill(write(changed((US_WORKER, US_WORKER + more))))
    assert "      us:\n        us-cp-1: 172.30.16.0/24\n        us-worker-1: 172.30.17.0/24\n" in after
    assert max(map(len, after[after.index("crossmesh:ledger") :].splitlines())) <= 110


def test_keys_behind_the_ledger_stay_behind_it(write: Write) -> None:
    text = (
        changed(("us-worker-1: 172.30.17.0/24", ""))
        + "  aws:region: eu-central-1\n# end\nsecretsprovider: x\n"
    )
    before, after = fill(write(text))
    assert difference(before, after)[1:] == [
        "+      us: {us-cp-1: 172.30.16.0/24, us-worker-1: 172.30.17.0/24}"
    ]
    assert after.endswith("  aws:region: eu-central-1\n# end\nsecretsprovider: x\n")


@pytest.mark.parametrize(
    "empty", ["  crossmesh:ledger:\n", "  crossmesh:ledger: {}\n", "  crossmesh:ledger:\n    clusters: {}\n"]
)
def test_an_empty_ledger_is_filled(empty: str, write: Write) -> None:
    _, after = fill(write(GOOD[: GOOD.index("  crossmesh:ledger:")] + empty))
    assert "us-worker-1: 172.30.17.0/24" in after


def test_a_slice_that_would_move_is_refused_and_the_file_stays(write: Write) -> None:
    path = write(GOOD)
    ledger = load_stack(path).ledger
    moved = Ledger(
        clusters=ledger.clusters, nodes={**ledger.nodes, "us": {"us-cp-1": IPv4Network("172.30.20.0/24")}}
    )
    with pytest.raises(ValueError, match="a slice never moves"):
        write_ledger(path, moved)
    assert path.read_text() == GOOD


def test_a_slice_that_would_be_lost_is_refused_and_the_file_stays(write: Write) -> None:
    path = write(GOOD)
    ledger = load_stack(path).ledger
    with pytest.raises(ValueError, match="would not read back"):
        write_ledger(path, Ledger(clusters=ledger.clusters, nodes={"eu": ledger.nodes["eu"]}))
    assert path.read_text() == GOOD


def test_configuration_in_flow_style_is_refused_with_the_fix(write: Write) -> None:
    with pytest.raises(StackFileError, match="on a line of its own"):
        write_ledger(write("config: {a: 1}\n"), Ledger())


def test_the_file_keeps_its_mode_its_link_and_leaves_no_draft(write: Write, tmp_path: Path) -> None:
    path = write(GOOD)
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    remove_secrets(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Pulumi.test.yaml", "link.yaml"]


def test_secrets_are_removed_and_nothing_else(write: Write) -> None:
    path = write(GOOD)
    assert remove_secrets(path)
    assert difference(GOOD, path.read_text()) == [
        "-encryptionsalt: v1:salt",
        "-  crossmesh:meshRootKey:",
        "-    secure: v1:one",
        "-  crossmesh:cloudKubeconfig:",
        "-    secure: v1:two",
    ]
    assert not remove_secrets(path)


def test_secrets_of_other_packages_and_comments_stay(write: Write) -> None:
    text = changed(("v1:salt\nconfig:\n", "v1:salt\nconfig:\n  # ours\n  aws:token:\n    secure: v1:three\n"))
    path = write(text)
    remove_secrets(path)
    assert "  # ours\n  aws:token:\n    secure: v1:three\n" in path.read_text()


def test_secrets_in_every_form_that_yaml_has_are_removed(write: Write) -> None:
    text = changed(
        ("  crossmesh:meshRootKey:\n    secure: v1:one\n", "  crossmesh:meshRootKey: {secure: v1:one}\n"),
        (
            "  crossmesh:cloudKubeconfig:\n    secure: v1:two\n",
            "  crossmesh:cloudKubeconfig:\n    secure: |\n      v1:two\n",
        ),
    )
    path = write(text)
    remove_secrets(path)
    assert difference(text, path.read_text()) == [
        "-encryptionsalt: v1:salt",
        "-  crossmesh:meshRootKey: {secure: v1:one}",
        "-  crossmesh:cloudKubeconfig:",
        "-    secure: |",
        "-      v1:two",
    ]


def test_secrets_are_copied_and_what_was_there_is_replaced(write: Write, tmp_path: Path) -> None:
    path = write(GOOD)
    scratch = tmp_path / "scratch.yaml"
    scratch.write_text(
        "encryptionsalt: v1:other\nconfig:\n    crossmesh:meshRootKey:\n        secure: v1:new\n"
    )
    copy_secrets(scratch, path, ["meshRootKey"])
    assert load_stack(path, require_secrets=True).secrets == {"meshRootKey", "cloudKubeconfig"}
    text = path.read_text()
    assert text.startswith("encryptionsalt: v1:other\nconfig:\n")
    assert text.endswith("  crossmesh:meshRootKey:\n      secure: v1:new\n")
    assert "v1:one" not in text
    assert "v1:salt" not in text


def test_secrets_that_are_set_and_removed_leave_the_file_as_it_was(write: Write, tmp_path: Path) -> None:
    path = write(GOOD)
    remove_secrets(path)
    bare = path.read_text()
    scratch = tmp_path / "scratch.yaml"
    scratch.write_text("config:\n  crossmesh:meshRootKey:\n    secure: v1:new\nencryptionsalt: v1:other\n")
    copy_secrets(scratch, path, ["meshRootKey"])
    remove_secrets(path)
    assert path.read_text() == bare


def test_a_secret_that_the_source_lacks_is_refused(write: Write, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch.yaml"
    scratch.write_text("config:\n  a: 1\n")
    with pytest.raises(KeyError, match="meshRootKey"):
        copy_secrets(scratch, write(GOOD), ["meshRootKey"])


ANCHORS = """\
config:
  pulumi:disable-default-providers: [kubernetes]
  crossmesh:environment: # the lab in the attic
    domain: lab.example.org
    addresses: {podPool: 10.244.0.0/16, servicePool: 10.96.0.0/16}
    sources: {apt: []}
    ssh: &ssh {user: root, privateKeyFile: ~/.ssh/id_ed25519, knownHostsFile: ~/.ssh/known_hosts}
    regions:
      attic:
        machineNetwork: 192.0.2.0/24
        fabric: &fabric
          asn: 65001
          peers:
            - {address: 192.0.2.1, asn: 65000} # the old switch
        loadBalancer: {first: 192.0.2.200, last: 192.0.2.219}
        cluster:
          kind: bareMetal
          nodes:
            attic-cp: {address: 192.0.2.11, role: control-plane}
            attic-w1: &worker
              address: 192.0.2.12
              role: worker
              zone: shelf-1
            attic-w2:
              <<: *worker
              address: 192.0.2.13
            # attic-w3 is at the repair shop
            attic-w4: {<<: *worker, address: 192.0.2.15, zone: shelf-2}
    mesh: {id: lab, trustDomain: lab.example.org}
"""


def test_anchors_merge_keys_and_their_comments_are_kept(write: Write) -> None:
    before, after = fill(write(ANCHORS))
    assert after.startswith(before)
    nodes = load_stack(write(after)).environment.regions["attic"].cluster.nodes  # type: ignore[union-attr]
    assert {name: node.zone for name, node in nodes.items()} == {
        "attic-cp": None,
        "attic-w1": "shelf-1",
        "attic-w2": "shelf-1",
        "attic-w4": "shelf-2",
    }


def test_what_is_wrong_under_an_anchor_is_told_where_it_stands(write: Write) -> None:
    with pytest.raises(StackFileError) as caught:
        load_stack(write(ANCHORS.replace("zone: shelf-1", "zone: shelf 1")), require_ledger=False)
    lines = {problem.line for problem in caught.value.problems}
    assert lines == {ANCHORS[: ANCHORS.index("zone: shelf-1")].count("\n") + 1}
