"""Ansible module: several configuration files, checked together and then put in place.

Ansible's own `template` needs some five round trips for each file that it changes. This module gets the
rendered contents as arguments: all files of a task are one round trip, and none is put in place unless all
are good.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: config_files
short_description: Write configuration files that pass a check
options:
  files:
    description: The files, each with an absolute C(path), its C(content) and its C(mode) (default C(0644)).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file belongs. Missing directories are made.
        type: path
        required: true
      content:
        description: Its content.
        type: str
        required: true
      mode:
        description: Its mode, octal.
        type: str
        default: "0644"
  validate:
    description:
      - A command that accepts the files before any of them is put in place; C(%s) is a directory in which
        they lie as they will below C(/). Left out in check mode where its program is not installed yet.
    type: str
"""

File = dict[str, Any]


def differs(file: File) -> bool:
    """Whether the file on disk has another content or mode, or is not there."""
    path = Path(file["path"])
    try:
        mode = path.stat().st_mode & 0o7777
        return mode != int(file["mode"], 8) or path.read_text() != file["content"]
    except (FileNotFoundError, UnicodeDecodeError):
        return True


def write(path: Path, content: str, mode: int) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), mode)
    partial.replace(path)


def complaint(files: list[File], validate: str) -> str | None:
    """What the check says against the files; None when it accepts them."""
    with tempfile.TemporaryDirectory() as directory:
        for file in files:
            write(Path(directory, file["path"].lstrip("/")), file["content"], 0o644)
        command = shlex.split(validate.replace("%s", directory))
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return None
        return f"{result.stdout}\n{result.stderr}".replace(directory, "").strip()


def diff_of(file: File) -> dict[str, str]:
    """Both contents, for `ansible-playbook --diff`."""
    path = Path(file["path"])
    before = path.read_text(errors="replace") if path.exists() else ""
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": file["content"]}


def main() -> None:
    """Run the module."""
    suboptions = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": suboptions},
            "validate": {"type": "str"},
        },
        supports_check_mode=True,
    )
    files, validate = module.params["files"], module.params["validate"]
    due = [file for file in files if differs(file)]
    known = bool(validate) and shutil.which(shlex.split(validate)[0]) is not None
    if due and validate and (known or not module.check_mode):
        said = complaint(files, validate)
        if said is not None:
            names = ", ".join(file["path"] for file in files)
            module.fail_json(
                msg=f"{names} left as before, because `{validate}` does not accept the new:\n{said}"
            )
    diff = [diff_of(file) for file in due]
    if not module.check_mode:
        for file in due:
            write(Path(file["path"]), file["content"], int(file["mode"], 8))
    module.exit_json(changed=bool(due), written=[file["path"] for file in due], diff=diff)


if __name__ == "__main__":
    main()
