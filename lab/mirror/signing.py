"""The mirror's signing key: made once per cache, never shared, its public half served with what it signs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.commands import run
from lab.paths import cache_dir
from toolchain.store import locked

HOME = "signing"
"""Name of its directory in the cache."""
_IDENTITY = "Lab mirror"


@contextmanager
def _gnupg() -> Iterator[list[str]]:
    """The gpg command on the key's own home; its agent ends with the block."""
    home = cache_dir() / HOME
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    with locked(home / "lab.lock"):
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes"]
        # The key has no passphrase: it signs what this very computer serves to its own machines.
        gpg += ["--pinentry-mode", "loopback", "--passphrase", ""]
        try:
            if _IDENTITY not in run([*gpg, "--list-secret-keys", "--with-colons"]):
                run([*gpg, "--quick-generate-key", _IDENTITY, "ed25519", "sign", "never"])
            yield gpg
        finally:
            run(["gpgconf", "--homedir", str(home), "--kill", "all"])


def fingerprint() -> str:
    """Fingerprint of the key, which is made first where there is none."""
    with _gnupg() as gpg:
        lines = run([*gpg, "--list-secret-keys", "--with-colons", _IDENTITY]).splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def export(directory: Path) -> None:
    """Write the public key as `archive-keyring.asc`, and binary as `archive-keyring.gpg`."""
    with _gnupg() as gpg:
        run([*gpg, "--armor", "--output", str(directory / "archive-keyring.asc"), "--export", _IDENTITY])
        run([*gpg, "--output", str(directory / "archive-keyring.gpg"), "--export", _IDENTITY])


def sign(source: Path, detached: Path, inline: Path | None = None) -> None:
    """Sign ``source``: an armoured signature in ``detached``, and the signed text itself in ``inline``."""
    with _gnupg() as gpg:
        sign_as = [*gpg, "--local-user", _IDENTITY]
        run([*sign_as, "--armor", "--output", str(detached), "--detach-sign", str(source)])
        if inline is not None:
            run([*sign_as, "--output", str(inline), "--clear-sign", str(source)])
