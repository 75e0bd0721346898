from __future__ import annotations

import base64
import json
import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.playbooks.conftest import ModuleFailed

Import = Callable[[str], ModuleType]
RUNS = {"UnitFileState": "enabled", "ActiveState": "active"}


def test_a_service_that_runs_with_its_files_is_left_alone(ansible_module: Import) -> None:
    assert ansible_module("configured_service").actions(RUNS, [], "restarted") == []


@pytest.mark.parametrize(("strategy", "verb"), [("restarted", "restart"), ("reloaded", "reload")])
def test_a_service_with_newer_files_is_told_to_read_them(
    ansible_module: Import, strategy: str, verb: str
) -> None:
    assert ansible_module("configured_service").actions(RUNS, ["/etc/x"], strategy) == [verb]


def test_a_service_that_is_down_is_started_and_enabled(ansible_module: Import) -> None:
    unit = {"UnitFileState": "disabled", "ActiveState": "failed"}
    assert ansible_module("configured_service").actions(unit, [], "reloaded") == ["enable", "restart"]


def test_a_service_that_cannot_run_yet_is_enabled_only(ansible_module: Import) -> None:
    unit = {"UnitFileState": "disabled", "ActiveState": "activating"}
    actions = ansible_module("configured_service").actions(unit, ["/etc/x"], "restarted", can_run=False)
    assert actions == ["enable"]


def test_a_service_that_is_to_run_no_longer_is_stopped_once(ansible_module: Import) -> None:
    actions = ansible_module("configured_service").actions
    assert actions(RUNS, [], "stopped") == ["stop", "disable"]
    assert actions({"UnitFileState": "disabled", "ActiveState": "inactive"}, [], "stopped") == []


def test_files_are_newer_when_written_after_the_service_read_them(
    ansible_module: Import, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for file, time in ((old, 1000), (new, 2000)):
        file.touch()
        os.utime(file, (time, time))
    files = [str(old), str(new), str(tmp_path / "absent")]
    assert ansible_module("configured_service").newer_files(files, 1500.0) == [str(new)]


def test_a_key_is_read_without_its_armour(ansible_module: Import) -> None:
    body = base64.b64encode(b"the key").decode()
    begin, end = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    armoured = f"{begin}\nComment: x\n\n{body}\n=abcd\n{end}\n"
    assert ansible_module("image_bundles").dearmoured(armoured) == b"the key"


def test_something_else_than_a_key_is_refused(ansible_module: Import) -> None:
    module = ansible_module("image_bundles")
    with pytest.raises(module.BundleError, match="not an ASCII-armoured OpenPGP public key"):
        module.dearmoured("not a key")


def test_checksums_are_read_in_both_forms_of_sha256sum(ansible_module: Import) -> None:
    sums = ansible_module("image_bundles").parse_sums(f"{'a' * 64}  x.tar\n{'B' * 64} *y.tar\nnonsense\n")
    assert sums == {"x.tar": "a" * 64, "y.tar": "b" * 64}


def test_a_download_with_another_checksum_is_refused(ansible_module: Import, tmp_path: Path) -> None:
    module = ansible_module("image_bundles")
    (tmp_path / "x.tar").write_bytes(b"tampered")
    with pytest.raises(module.BundleError, match="but the signed list says 0000"):
        module.download((tmp_path / "x.tar").as_uri(), tmp_path / "out", "0" * 64)


def test_a_disk_that_is_full_is_no_fault_of_the_mirror(
    ansible_module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ansible_module("image_bundles")
    (tmp_path / "x.tar").write_bytes(b"whole")
    # Takes nothing, as a full disk does.
    with pytest.raises(OSError, match="No space left on device"):
        module.download((tmp_path / "x.tar").as_uri(), Path("/dev/full"))
    # A half-written bundle is not left where it takes the room that somebody makes.
    record = tmp_path / "images" / "x.json"
    record.parent.mkdir()
    monkeypatch.setattr(module, "image_names", lambda archive: ["one"])
    full = SimpleNamespace(returncode=1, stdout="", stderr="ctr: write /var/lib: no space left on device")
    monkeypatch.setattr(module, "run", lambda *command: full)
    with pytest.raises(module.BundleError, match=r"cannot be imported: ctr: .* no space left on device"):
        module.import_bundle((tmp_path / "x.tar").as_uri(), "", record)
    assert list(record.parent.iterdir()) == []


def test_bundles_are_not_verified_by_hope_where_the_program_for_it_is_missing(
    ansible_module: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt of Debian 13 brings no gpgv along, as that of Debian 12 does."""
    module = ansible_module("image_bundles")
    monkeypatch.setattr(module, "download", lambda url, target: target.touch())
    monkeypatch.setattr(module.shutil, "which", lambda program: None)
    with pytest.raises(module.BundleError, match="gpgv, which verifies image bundles, is missing"):
        module.verified_sums("http://192.0.2.2/images", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")


def test_a_bundle_is_current_only_while_its_images_are_there(ansible_module: Import, tmp_path: Path) -> None:
    module, record = ansible_module("image_bundles"), tmp_path / "x.json"
    assert not module.is_current(record, "aa", set())
    record.write_text(json.dumps({"sha256": "aa", "images": ["one", "two"]}))
    assert module.is_current(record, "aa", {"one", "two", "three"})
    assert not module.is_current(record, "aa", {"one"})
    assert not module.is_current(record, "bb", {"one", "two"})


def test_the_names_of_images_come_from_the_archive(ansible_module: Import, tmp_path: Path) -> None:
    content = json.dumps([{"RepoTags": ["b:1"]}, {"RepoTags": ["a:1"]}]).encode()
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        tar.addfile(entry, BytesIO(content))
    assert ansible_module("image_bundles").image_names(tmp_path / "x.tar") == ["a:1", "b:1"]


def test_settings_are_compared_without_regard_to_spaces(ansible_module: Import, tmp_path: Path) -> None:
    module = ansible_module("kernel_settings")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "range").write_text("32768\t60999\n")
    assert module.current("net.range", tmp_path) == "32768 60999"
    assert module.current("net.absent", tmp_path) is None


def test_a_join_that_failed_says_what_keeps_kubelet_from_being_a_node(
    ansible_module: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubeadm itself says only that it has waited for the node in vain."""
    program = ansible_module("kubeadm").kubeadm_program
    refused = 'failed calling webhook \\"all.example.test\\": no endpoints'
    log = f'kubelet starts\n"Unable to register node with API server" err="{refused}" node="w"\n'

    def run(*command: str, **_: object) -> SimpleNamespace:
        said = log if command[0] == "journalctl" else ""
        return SimpleNamespace(returncode=int(command[0] != "journalctl"), stdout=said, stderr="timed out")

    monkeypatch.setattr(program, "run", run)
    with pytest.raises(program.KubeadmError, match="timed out") as failed:
        program.carry_out(("kubeadm", "join"), "", -1)
    assert "kubelet says: " in str(failed.value) and "all.example.test" in str(failed.value)
    with pytest.raises(program.KubeadmError) as failed:
        program.carry_out(("kubeadm", "reset"), "", -1)
    assert "kubelet says" not in str(failed.value)


def test_tokens_are_masked_in_what_kubeadm_says(ansible_module: Import) -> None:
    program = ansible_module("kubeadm").kubeadm_program
    assert program.masked("token abcdef.0123456789abcdef!") == "token <token>!"


def test_what_cannot_change_on_a_member_is_named_with_both_values(ansible_module: Import) -> None:
    lines = ansible_module("kubeadm").different(
        {"endpoint": "a:6443", "node": "n"}, {"endpoint": "b:6443", "node": "n", "new": 1}
    )
    assert lines == ["endpoint is 'a:6443' on the host and 'b:6443' in the declaration"]


def test_a_file_with_a_secret_is_never_readable_by_others(ansible_module: Import, tmp_path: Path) -> None:
    target = tmp_path / "pki" / "ca.key"
    ansible_module("kubeadm").write(target, "secret", 0o600)
    assert target.read_text() == "secret"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in target.parent.iterdir()] == ["ca.key"]


def test_a_file_differs_by_content_and_by_mode(ansible_module: Import, tmp_path: Path) -> None:
    module = ansible_module("config_files")
    file = {"path": str(tmp_path / "etc" / "x"), "content": "a\n", "mode": "0644"}
    assert module.differs(file)
    module.write(Path(file["path"]), "a\n", 0o644)
    assert not module.differs(file)
    assert module.differs({**file, "content": "b\n"})
    assert module.differs({**file, "mode": "0600"})


def test_files_are_checked_together_before_they_are_in_place(ansible_module: Import, tmp_path: Path) -> None:
    module = ansible_module("config_files")
    files = [{"path": f"/etc/{name}", "content": f"{name}\n", "mode": "0644"} for name in ("x", "y")]
    assert module.complaint(files, "grep -q y %s/etc/y") is None
    assert module.complaint(files, "cat %s/etc/x %s/etc/z").startswith("x\n")


def zone(directory: Path, name: str) -> dict[str, str]:
    return {"path": str(directory / name), "content": f"{name}\n"}


def test_files_of_others_are_closed_for_all_but_their_owner_where_they_are(
    run_module: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    open_file, closed_file = tmp_path / "parts" / "a.conf", tmp_path / "unit.service"
    open_file.parent.mkdir()
    for file, mode in ((open_file, 0o644), (closed_file, 0o600)):
        file.touch(mode=mode)
        file.chmod(mode)
    private = [str(closed_file), f"{open_file.parent}/*.conf", str(tmp_path / "absent")]
    result = run_module("config_files", files=[], private=private)
    assert (result["changed"], result["closed"]) == (True, [str(open_file)])
    assert open_file.stat().st_mode & 0o777 == 0o600
    assert run_module("config_files", files=[], private=private)["changed"] is False


def test_other_files_of_an_exclusive_directory_are_removed(
    run_module: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    for name in ("mesh.example.org", ".interrupted.new"):
        (tmp_path / name).write_text("old\n")
    params = {"files": [zone(tmp_path, "example.org")], "exclusive": [str(tmp_path), "/nowhere"]}
    result = run_module("config_files", **params)
    assert result["removed"] == [str(tmp_path / ".interrupted.new"), str(tmp_path / "mesh.example.org")]
    assert [entry["after"] for entry in result["diff"]] == ["example.org\n", "", ""]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["below", "example.org"]
    assert run_module("config_files", **params)["changed"] is False


def test_nothing_is_removed_for_files_that_are_refused(
    run_module: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "old").write_text("old\n")
    params = {"files": [zone(tmp_path, "new")], "exclusive": [str(tmp_path)], "validate": "false %s"}
    with pytest.raises(ModuleFailed, match="left as before, because `false %s` does not accept the new:"):
        run_module("config_files", **params)
    assert [file.name for file in tmp_path.iterdir()] == ["old"]


def test_a_check_that_refuses_what_is_in_place_too_has_another_cause(
    run_module: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("old\n")
    state = tmp_path / "admin_state"
    state.write_text("DWON\n")
    check = f"sh -c 'test -d %s && ! grep -H DWON {state}'"
    params = {"files": [zone(tmp_path, "x")], "validate": check}
    with pytest.raises(ModuleFailed, match=r"nor those that are in place: the cause may lie in none of them"):
        run_module("config_files", **params)
    state.write_text("DOWN\n")
    assert run_module("config_files", **params)["changed"] is True


def test_what_an_owner_wrote_and_names_no_more_is_removed(
    ansible_module: Import, run_module: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    module = ansible_module("config_files")
    module.STATE = tmp_path / "state"
    one, two, foreign = (str(tmp_path / "etc" / name) for name in ("one", "two", "foreign"))
    both = [{"path": path, "content": "x"} for path in (one, two)]
    run_module(module, files=both, owner="registries")
    Path(foreign).write_text("somebody's own")
    assert run_module(module, files=both, owner="registries")["changed"] is False
    assert run_module(module, files=[], owner="others")["removed"] == []
    result = run_module(module, files=both[:1], owner="registries")
    assert (result["changed"], result["removed"], result["written"]) == (True, [two], [])
    assert Path(one).exists() and Path(foreign).exists() and not Path(two).exists()
    assert run_module(module, files=[], owner="registries")["removed"] == [one]


def test_what_a_killed_run_wrote_is_its_owner_s_as_well(
    ansible_module: Import,
    run_module: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ansible_module("config_files")
    module.STATE, real = tmp_path / "state", module.write
    one = str(tmp_path / "one")

    def killed(path: Path, content: str, mode: int) -> None:
        real(path, content, mode)
        if str(path) == one:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write", killed)
        run_module(module, files=[{"path": one, "content": "x"}], owner="registries")
    assert run_module(module, files=[], owner="registries")["removed"] == [one]
