"""Ansible module: several configuration files, checked together and then put in place.

Ansible's own `template` needs some five round trips for each file that it changes. With the rendered contents
as arguments, all files of a task are one round trip.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, write

DOCUMENTATION = r"""
module: config_files
short_description: Write configuration files that pass a check
description:
  - Compares all files with what is on the host, lets a program check those that are to be, and puts them in
    place in one step each. Where the check fails, nothing is changed.
author: Crossmesh (@crossmesh)
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file belongs, absolute. Missing directories are made.
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
  private:
    description: Files of others, or patterns of them, that nobody but their owner is to read or write. Those
      that are not there are left out.
    type: list
    elements: path
    default: []
  exclusive:
    description: Directories that hold nothing but these files. Other files in them are removed; directories
      in them are left alone.
    type: list
    elements: path
    default: []
  owner:
    description: Whose files these are. What it wrote before and is none of the files any more is removed.
    type: str
  validate:
    description:
      - A command that accepts the files before any of them is put in place; C(%s) is a directory in which
        they lie as they will below C(/). Left out in check mode where its program is not installed yet.
    type: str
"""

EXAMPLES = r"""
- name: Configure BIRD
  crossmesh.nodes.config_files:
    files:
      - path: /etc/bird/bird.conf
        content: "{{ lookup('ansible.builtin.template', 'bird.conf.j2') }}"
    validate: /usr/sbin/bird -p -c %s/etc/bird/bird.conf

- name: Serve one zone, and no other
  crossmesh.nodes.config_files:
    files:
      - path: /etc/gdnsd/zones/example.org
        content: "{{ lookup('ansible.builtin.template', 'zone.j2') }}"
    exclusive: [/etc/gdnsd/zones]

- name: Reach the packages by a proxy, or no longer by one
  crossmesh.nodes.config_files:
    files: "{{ proxy_files if proxy else [] }}"
    owner: proxy
"""

RETURN = r"""
written:
  description: Paths of the files that had another content or mode, or were not there.
  type: list
  elements: str
  returned: success
  sample: [/etc/bird/bird.conf]
closed:
  description: Paths of files of others that somebody else could read or write.
  type: list
  elements: str
  returned: success
  sample: [/var/lib/kubelet/config.yaml]
removed:
  description: Paths of the files that were removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/gdnsd/zones/example.net]
"""

File = dict[str, Any]
# What each owner has written.
STATE = Path("/var/lib/crossmesh/files")


def differs(file: File) -> bool:
    """Whether the file on disk has another content or mode, or is not there."""
    path = Path(file["path"])
    try:
        mode = path.stat().st_mode & 0o7777
        return mode != int(file["mode"], 8) or path.read_text() != file["content"]
    except (FileNotFoundError, UnicodeDecodeError):
        return True


def opened(patterns: list[str]) -> list[Path]:
    """Files of the patterns that others than their owner may read or write, sorted."""
    found = {path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))}
    return sorted(path for path in found if path.is_file() and path.stat().st_mode & 0o077)


def others(files: list[File], directories: list[str]) -> list[Path]:
    """What lies in the directories and is none of the files, sorted."""
    own = {Path(file["path"]) for file in files}
    return sorted(
        path
        for directory in map(Path, directories)
        if directory.is_dir()
        for path in directory.iterdir()
        if path not in own and (path.is_symlink() or not path.is_dir())
    )


def owned(owner: str | None) -> list[str]:
    """Paths of the files that an owner has written, sorted."""
    try:
        return list(json.loads((STATE / f"{owner}.json").read_text())) if owner else []
    except (FileNotFoundError, ValueError):
        return []


def own(owner: str | None, paths: set[str]) -> None:
    """Remember what an owner has written."""
    if owner and sorted(paths) != owned(owner):
        write(STATE / f"{owner}.json", json.dumps(sorted(paths)), 0o644)


def complaint(files: list[File], validate: str) -> str | None:
    """What the check says against the files; None when it accepts them."""
    with tempfile.TemporaryDirectory() as directory:
        for file in files:
            write(Path(directory, file["path"].lstrip("/")), file["content"], 0o644)
        result = run(*shlex.split(validate.replace("%s", directory)))
        if result.returncode == 0:
            return None
        return f"{result.stdout}\n{result.stderr}".replace(directory, "").strip()


def refusal(files: list[File], unwanted: list[Path], validate: str) -> str | None:
    """Why the files are not put in place; None when they may be."""
    said = complaint(files, validate)
    if said is None:
        return None
    paths = [Path(file["path"]) for file in files]
    present = [path for path in (*paths, *unwanted) if path.is_file()]
    before = [{"path": str(path), "content": path.read_text(errors="replace")} for path in present]
    why = f"`{validate}` does not accept the new"
    if set(paths) <= set(present) and complaint(before, validate) is not None:
        why += ", nor those that are in place: the cause may lie in none of them"
    return f"{', '.join(map(str, paths))} left as before, because {why}:\n{said}"


def diff_of(path: Path, after: str) -> dict[str, str]:
    """Both contents, for `ansible-playbook --diff`."""
    before = path.read_text(errors="replace") if path.is_file() else ""
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": after}


def main() -> None:
    suboptions = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": suboptions},
            "private": {"type": "list", "elements": "path", "default": []},
            "exclusive": {"type": "list", "elements": "path", "default": []},
            "owner": {"type": "str"},
            "validate": {"type": "str"},
        },
        supports_check_mode=True,
    )
    files, validate, owner = (module.params[name] for name in ("files", "validate", "owner"))
    due = [file for file in files if differs(file)]
    paths, before = {file["path"] for file in files}, owned(owner)
    left = {Path(path) for path in before if path not in paths and Path(path).is_file()}
    unwanted = sorted({*others(files, module.params["exclusive"]), *left})
    open_files = opened(module.params["private"])
    can_check = bool(validate) and (not module.check_mode or shutil.which(shlex.split(validate)[0]))
    if (due or unwanted) and can_check and (why_not := refusal(files, unwanted, validate)):
        module.fail_json(msg=why_not)
    diff = [diff_of(Path(file["path"]), file["content"]) for file in due]
    diff += [diff_of(path, "") for path in unwanted]
    if not module.check_mode:
        # A run that is killed in between has written some of these, and the next one knows of all.
        own(owner, paths | set(before))
        for file in due:
            write(Path(file["path"]), file["content"], int(file["mode"], 8))
        for path in unwanted:
            path.unlink(missing_ok=True)
        for path in open_files:
            path.chmod(path.stat().st_mode & 0o7700)
        own(owner, paths)
    module.exit_json(
        changed=bool(due or unwanted or open_files),
        closed=[str(path) for path in open_files],
        written=[file["path"] for file in due],
        removed=[str(path) for path in unwanted],
        diff=diff,
    )


if __name__ == "__main__":
    main()
