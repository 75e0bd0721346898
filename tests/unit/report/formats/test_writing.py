"""Files are whole or not there; standard output has one report and nothing else."""

from __future__ import annotations

import io
import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from report.errors import OperationsError
from report.formats import document, markdown, requests, terminal, write
from tests.unit.report.formats import samples


class Terminal(io.TextIOWrapper):
    """Standard output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_all_formats_are_written_at_once(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    formats = ("terminal", "markdown", "json", "sarif", "junit")
    wanted = [f"{format}={tmp_path}/all.{format}" for format in formats]
    wanted.append(f"svg={tmp_path}/{{stack}}.svg")
    several = [samples.rich(), samples.empty()]
    write(requests(wanted, ["lab", "staging"]), several)
    assert {file.name for file in tmp_path.iterdir()} == {
        *(f"all.{format}" for format in formats),
        "lab.svg",
        "staging.svg",
    }
    assert (tmp_path / "all.json").read_text() == document.render(several)
    assert "staging" in (tmp_path / "staging.svg").read_text()
    assert capsysbinary.readouterr().out.decode() == terminal.render(several)


def test_standard_output_has_the_asked_report_alone(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(requests(["json=-"], ["lab"]), [samples.rich()])
    captured = capsysbinary.readouterr()
    assert json.loads(captured.out)["schemaVersion"] == 1
    assert captured.err == b""


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    file = tmp_path / "gate.md"
    file.write_text("old")
    with file.open() as reader:
        write(requests([f"markdown={file}", "json=/dev/null"], ["lab"]), [samples.rich()])
        assert reader.read() == "old"
    assert file.read_text() == markdown.render([samples.rich()])
    assert [found.name for found in tmp_path.iterdir()] == ["gate.md"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("gate.md")
    write(requests([f"markdown={tmp_path}/link.md"], ["lab"]), [samples.rich()])
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "gate.md").read_text() == markdown.render([samples.rich()])


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_gives_the_mode(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write(requests([f"json={tmp_path}/gate.json"], ["lab"]), [samples.empty()])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "gate.json").stat().st_mode) == mode


def test_a_full_disk_keeps_no_other_report_from_being_written(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    wanted = requests(["json=/dev/full", f"markdown={tmp_path}/gate.md"], ["lab"])
    with pytest.raises(OperationsError, match="json report could not be written to /dev/full") as caught:
        write(wanted, [samples.rich()])
    assert caught.value.exit_code == 1
    assert (tmp_path / "gate.md").exists()
    assert b"stack lab" in capsysbinary.readouterr().out


def test_what_cannot_be_finished_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gate.json"
    file.write_text("old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OperationsError, match="No space left"):
        write(requests([f"json={file}"], ["lab"]), [samples.empty()])
    assert file.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["gate.json"]


@pytest.mark.parametrize("force", [False, True])
def test_there_is_no_colour_but_on_terminals(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    if force:
        monkeypatch.setenv("FORCE_COLOR", "1")
    write(requests([], ["lab"]), [samples.rich()])
    assert b"\x1b" not in capsysbinary.readouterr().out


def test_terminals_have_colour_and_their_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(seen, encoding="utf-8"))
    write(requests([], ["lab"]), [samples.rich()])
    text = seen.getvalue().decode()
    assert "\x1b[1;31m" in text and "\x1b[32m" in text


def test_no_color_is_heeded_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(seen, encoding="utf-8"))
    write(requests([], ["lab"]), [samples.rich()])
    text = seen.getvalue().decode()
    assert "\x1b[31m" not in text and "\x1b[1;31m" not in text and "\x1b[32m" not in text


def test_a_narrow_encoding_costs_a_mark_and_not_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(seen, encoding="ascii"))
    write(requests([], ["lab"]), [samples.rich()])
    assert b"? replace" in seen.getvalue()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(seen, encoding="ascii"))
    write(requests(["markdown=-"], ["lab"]), [samples.rich()])
    assert "⛔".encode() in seen.getvalue()


@pytest.mark.parametrize("format", ["terminal", "json"])
def test_standard_output_that_takes_nothing_is_named_and_files_are_written(
    tmp_path: Path, format: str
) -> None:
    """In processes of their own: what a process prints last is written as it ends."""
    program = (
        "import sys; from report.formats import requests, write; "
        "from tests.unit.report.formats import samples; "
        f"write(requests(['{format}=-', 'junit={tmp_path}/all.xml'], ['lab']), [samples.rich()])"
    )
    command = [sys.executable, "-c", program]
    for redirection, words in (
        (">/dev/full", "No space left on device"),
        (">&-", "standard output is closed"),
    ):
        (tmp_path / "all.xml").unlink(missing_ok=True)
        shell = f"{shlex.join(command)} {redirection}"
        ended = subprocess.run(shell, shell=True, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert f"OperationsError: The {format} report could not be printed: {words}" in ended.stderr
        assert ended.stderr.count("Traceback") == 1
        assert (tmp_path / "all.xml").is_file()


def test_whoever_reads_may_stop(tmp_path: Path) -> None:
    program = (
        "import time; from report.formats import requests, write; "
        "from tests.unit.report.formats import samples; "
        "time.sleep(0.5); write(requests(['json=-'], ['lab']), [samples.rich()])"
    )
    shell = f"({shlex.join([sys.executable, '-c', program])}; echo $? >{tmp_path}/code) | true"
    ended = subprocess.run(shell, shell=True, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    assert (tmp_path / "code").read_text() == "0\n"
