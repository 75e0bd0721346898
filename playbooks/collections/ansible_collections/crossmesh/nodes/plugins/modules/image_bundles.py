"""Ansible module: container images from signed bundles of a site's mirror, imported into containerd.

One module instead of a chain of downloads, checks and commands per bundle: the list of checksums is verified
once, nothing is fetched that is there already, and nothing is imported that was not verified.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import json
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, write

DOCUMENTATION = r"""
module: image_bundles
short_description: Import container images from a mirror's signed bundles
description:
  - Fetches C(SHA256SUMS) and its detached signature, verifies it with gpgv against the given key, and imports
    each bundle whose checksum is not the recorded one, or whose images are no longer there.
author: Crossmesh (@crossmesh)
options:
  base_url:
    description: Where C(SHA256SUMS), C(SHA256SUMS.asc) and C(<bundle>.tar) are.
    type: str
    required: true
  public_key:
    description: The ASCII-armoured public key that signs C(SHA256SUMS).
    type: str
    required: true
  bundles:
    description: Names of the bundles that the host needs.
    type: list
    elements: str
    required: true
  record:
    description: Directory that holds what was imported, one file per bundle.
    type: path
    default: /var/lib/crossmesh/images
"""

EXAMPLES = r"""
- name: Import what the pods of a node need
  crossmesh.nodes.image_bundles:
    base_url: https://mirror.example.org/images
    public_key: "{{ lookup('ansible.builtin.file', 'archive-keyring.asc') }}"
    bundles: [kubernetes-node]
"""

RETURN = r"""
imported:
  description: Names of the bundles that were imported.
  type: list
  elements: str
  returned: success
  sample: [kubernetes-node]
"""

_TIMEOUT = 30  # seconds without a byte from the mirror
_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What this host says of its disks, and no mirror does."""
_IMAGES = ("ctr", "--namespace=k8s.io", "images")


class BundleError(Exception):
    """A bundle cannot be had or trusted; says which and why."""


def dearmoured(key: str) -> bytes:
    """The binary form of an ASCII-armoured OpenPGP key, which is what gpgv reads."""
    lines = [line.strip() for line in key.strip().splitlines()]
    if not lines or not lines[0].startswith("-----BEGIN PGP PUBLIC KEY BLOCK"):
        raise BundleError("the key that signs the image bundles is not an ASCII-armoured OpenPGP public key")
    start = lines.index("") + 1 if "" in lines else 1
    body = [line for line in lines[start:] if line and not line.startswith(("-----", "="))]
    return base64.b64decode("".join(body))


def parse_sums(text: str) -> dict[str, str]:
    """File name → SHA-256 (hex), from the output format of sha256sum."""
    sums: dict[str, str] = {}
    for line in text.splitlines():
        digest, _, name = line.partition(" ")
        if len(digest) == 64 and name:
            sums[name.lstrip(" *")] = digest.lower()
    return sums


def download(url: str, target: Path, digest: str = "") -> None:
    """Fetch `url` into `target`; raise unless its SHA-256 is `digest`, where that is given."""
    actual = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, target.open("wb") as file:
            while chunk := response.read(_CHUNK):
                actual.update(chunk)
                file.write(chunk)
    except OSError as error:
        if error.errno in _FULL:
            raise
        msg = f"{url} cannot be read: {error}. Is the mirror of the stack file's sources up?"
        raise BundleError(msg) from error
    if digest and actual.hexdigest() != digest:
        raise BundleError(f"{url} has the SHA-256 {actual.hexdigest()}, but the signed list says {digest}")


def verified_sums(base_url: str, public_key: str) -> dict[str, str]:
    """The mirror's list of checksums, once its signature has been verified."""
    with tempfile.TemporaryDirectory() as directory:
        key, sums, signature = (Path(directory, name) for name in ("key.gpg", "SHA256SUMS", "SHA256SUMS.asc"))
        for file in (sums, signature):
            download(f"{base_url}/{file.name}", file)
        key.write_bytes(dearmoured(public_key))
        if shutil.which("gpgv") is None:
            raise BundleError(
                "gpgv, which verifies image bundles, is missing: install the package of that name"
            )
        result = run("gpgv", "--keyring", key, signature, sums)
        if result.returncode:
            why = f"is not signed by the declared key: {result.stderr.strip()}"
            raise BundleError(f"{base_url}/SHA256SUMS {why}")
        return parse_sums(sums.read_text())


def image_names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        if manifest is None:
            raise BundleError(f"{archive.name} has no manifest.json")
        return sorted(tag for image in json.load(manifest) for tag in image["RepoTags"])


def present_images() -> set[str]:
    """The names of the images that containerd has; none where containerd is not installed yet."""
    if shutil.which("ctr") is None:
        return set()
    result = run(*_IMAGES, "list", "--quiet")
    if result.returncode:
        raise BundleError(f"containerd does not list its images: {result.stderr.strip()}")
    return set(result.stdout.split())


def is_current(record: Path, digest: str, present: set[str]) -> bool:
    """Whether the bundle with that checksum was imported and its images are still there."""
    try:
        recorded = json.loads(record.read_text())
    except (OSError, ValueError):
        return False
    return recorded["sha256"] == digest and present.issuperset(recorded["images"])


def import_bundle(url: str, digest: str, record: Path) -> None:
    """Download, verify, import, and record only then."""
    with tempfile.TemporaryDirectory(dir=record.parent) as directory:
        archive = Path(directory, "bundle.tar")
        download(url, archive, digest)
        names = image_names(archive)
        result = run(*_IMAGES, "import", archive)
    if result.returncode:
        raise BundleError(f"{url} cannot be imported: {result.stderr.strip()}")
    write(record, json.dumps({"sha256": digest, "images": names}), 0o644)


def import_due(module: AnsibleModule) -> list[str]:
    """Import what is missing; return the names of those bundles."""
    base_url, directory = module.params["base_url"].rstrip("/"), Path(module.params["record"])
    sums = verified_sums(base_url, module.params["public_key"])
    unknown = [bundle for bundle in module.params["bundles"] if f"{bundle}.tar" not in sums]
    if unknown:
        lists = f"does not list {', '.join(unknown)}; it lists {', '.join(sums)}"
        raise BundleError(f"{base_url}/SHA256SUMS {lists}")
    present = present_images()
    due = {
        bundle: sums[f"{bundle}.tar"]
        for bundle in module.params["bundles"]
        if not is_current(directory / f"{bundle}.json", sums[f"{bundle}.tar"], present)
    }
    if not module.check_mode and due:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / ".lock").open("w") as lock:
            # The module of a killed run may still be at work here: wait for it, then see what it left to do.
            fcntl.flock(lock, fcntl.LOCK_EX)
            for bundle, digest in due.items():
                record = directory / f"{bundle}.json"
                if not is_current(record, digest, present_images()):
                    import_bundle(f"{base_url}/{bundle}.tar", digest, record)
    return sorted(due)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "public_key": {"type": "str", "required": True, "no_log": False},
            "bundles": {"type": "list", "elements": "str", "required": True},
            "record": {"type": "path", "default": "/var/lib/crossmesh/images"},
        },
        supports_check_mode=True,
    )
    try:
        imported = import_due(module)
    except BundleError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        record = module.params["record"]
        module.fail_json(msg=f"image bundles cannot be kept on this host, in {record} or /tmp: {error}")
    module.exit_json(changed=bool(imported), imported=imported)


if __name__ == "__main__":
    main()
