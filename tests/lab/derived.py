"""Derive another lab's stack file from the reference lab's, so that tests never touch a person's lab."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from stacks.model import DNS_LABEL
from stacks.whole_file import write_whole
from stacks.write import remove_secrets

REFERENCE_LAB = "lab"


def lab_octet(lab_name: str) -> int:
    """The X of a lab's network `10.X.0.0/16`, by the rule that labs number themselves with: 64 to 191."""
    return 64 + hashlib.sha256(lab_name.encode()).digest()[0] % 128


def derive(stack_path: Path, lab_name: str, out_name: str) -> Path:
    """Write `Pulumi.<out_name>.yaml` beside `stack_path`, for the lab `lab_name`, and return its path.

    Addresses of the reference lab become the other lab's, and paths of its state likewise. The ledger is
    kept, secrets are not. An existing file is replaced. Raises `ValueError` for names that are no DNS labels,
    and where the stack file does not belong to the reference lab.
    """
    for what, name in (("lab", lab_name), ("stack", out_name)):
        if not re.fullmatch(DNS_LABEL.strip("^$"), name):
            raise ValueError(
                f"{what} name {name!r}: not a DNS label (a-z, 0-9 and '-', at most 63 characters)"
            )
    target = stack_path.with_name(f"Pulumi.{out_name}.yaml")
    if target == stack_path:
        raise ValueError(f"{stack_path} would be written over itself; choose another name than {out_name!r}")
    text = stack_path.read_text(encoding="utf-8")
    text, addresses = re.subn(rf"\b10\.{lab_octet(REFERENCE_LAB)}\.", f"10.{lab_octet(lab_name)}.", text)
    text, paths = re.subn(rf"(?<=/labs/){REFERENCE_LAB}/", f"{lab_name}/", text)
    if not addresses or not paths:
        raise ValueError(f"{stack_path} names neither addresses nor files of the lab {REFERENCE_LAB!r}")
    source = stack_path.name
    note = f"# Derived from {source} for the lab '{lab_name}'; changes here are lost.\n"
    write_whole(target, note + text)
    remove_secrets(target)
    return target
