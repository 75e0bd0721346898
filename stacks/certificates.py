"""Read the given certificates of a stack, from files and from secrets, and refuse those that would not serve.

What is not known where this runs is None, and nobody is refused for it: a preview in CI may have neither the
files of the operator's machine nor the stack's secrets. `up` has to have all.
"""

from __future__ import annotations

import contextlib
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509

from stacks.errors import ENVIRONMENT, KeyPath, StackFileError, render_file
from stacks.given import Given, Parts, ends_soon, examine
from stacks.load import Stack
from stacks.model import GivenParts, Secret
from stacks.named_secrets import STAND_IN
from stacks.pem import Text, blocks
from stacks.positions import Document, read

Secrets = Callable[[Secret, KeyPath], str | None]
"""The text of a secret, by what names it and its path in the environment; None where it is not known."""

STORES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
"""Where systems keep the authorities that everybody trusts, as one file: Debian's, and Red Hat's."""


def no_secrets(secret: Secret, path: KeyPath) -> str | None:
    """For who has no secrets."""
    return None


@dataclass(frozen=True)
class _Reader:
    """Reads the parts of one certificate, and notes what is wrong with where they are."""

    document: Document
    name: str
    secrets: Secrets
    whole: bool

    def parts(self, given: GivenParts) -> Parts | None:
        """All texts; None where the certificate itself is not known here."""
        texts = {
            "certificate": self._text("certificate", given.certificate),
            "chain": self._text("chain", given.chain),
            "privateKey": self._text("privateKey", given.private_key),
            "ca": self._text("ca", given.ca),
        }
        certificate = texts["certificate"]
        declared = {"chain": given.chain, "ca": given.ca}
        if certificate is None or any(part and texts[key] is None for key, part in declared.items()):
            return None
        system = () if given.ca else system_store()
        return Parts(certificate, texts["privateKey"], texts["chain"], texts["ca"], system)

    def problem(self, key: str, got: str, rule: str, fix: str) -> None:
        """Note what is wrong with a part."""
        path = (*ENVIRONMENT, "certificates", self.name, "given", key)
        self.document.problem(path, got, rule, fix)

    def _text(self, key: str, part: str | Secret | None) -> Text | None:
        if part is None:
            return None
        return self._of_secret(key, part) if isinstance(part, Secret) else self._of_file(key, Path(part))

    def _of_secret(self, key: str, part: Secret) -> Text | None:
        path: KeyPath = ("certificates", self.name, "given", key)
        text = self.secrets(part, path)
        if text is not None and text != STAND_IN:
            return Text(f"the secret crossmesh:{part.secret}" if part.secret else "the secret here", text)
        if self.whole:
            fix = "set it by `pulumi config set --secret`, which reads it from its standard input"
            self.problem(key, "a secret that is not known", "`up` needs each part of a certificate", fix)
        return None

    def _of_file(self, key: str, file: Path) -> Text | None:
        place, rule = render_file(file), "a part of a certificate is a file that can be read, or a secret"
        if not file.exists():
            if self.whole:
                fix = "put it there, or change the path: it begins at the stack file's directory"
                self.problem(key, f"{place}: no such file", rule, fix)
            return None
        mode = stat.S_IMODE(file.stat().st_mode)
        if key == "privateKey" and mode & 0o077:
            only = "a private key is for its owner alone"
            self.problem(key, f"{place}: readable for others", only, f"run `chmod 600 {file}`")
        try:
            return Text(place, file.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError:
            fix = "write it in PEM: `openssl x509 -inform der`, or `openssl pkey -inform der`"
            self.problem(key, f"{place}: no text", "certificates and keys are given in PEM", fix)
        except OSError as error:
            self.problem(key, f"{place}: {error.strerror}", rule, "let who runs this read it")
        return None


def read_certificates(
    stack: Stack, secrets: Secrets = no_secrets, *, whole: bool = False, now: datetime | None = None
) -> dict[str, Given]:
    """The given certificates, by name; without those that are not known here.

    whole: whether all of them must be, as for `up`. now: without it, this machine's clock.
    Raises `StackFileError` with all that is wrong with any.
    """
    document, now, found = read(stack.path), now or datetime.now(UTC), {}
    for name, spec in stack.environment.certificates.items():
        reader = _Reader(document, name, secrets, whole)
        parts = reader.parts(spec.given)
        if parts is None:
            continue
        given, complaints = examine(spec.hosts, parts, now)
        for complaint in complaints:
            reader.problem(complaint.part, complaint.got, complaint.rule, complaint.fix)
        if given is not None:
            found[name] = given
    if document.problems:
        raise StackFileError(stack.path, document.problems)
    return found


def soon_to_end(stack: Stack, given: Mapping[str, Given], now: datetime | None = None) -> Iterator[str]:
    """What is to be said of each certificate that ends soon, with its line and what to do."""
    document, now = read(stack.path), now or datetime.now(UTC)
    for name, each in sorted(given.items()):
        if now >= ends_soon(each.not_before, each.not_after):
            line = document.line((*ENVIRONMENT, "certificates", name))
            yield (
                f"{render_file(stack.path)}:{line}: certificate '{name}' of {', '.join(each.names)} ends in "
                f"{(each.not_after - now).days} days, on {each.not_after:%Y-%m-%d}.\n"
                f"  fix: {renewal(name)}"
            )


def renewal(name: str) -> str:
    """How a given certificate is renewed, in a sentence."""
    return (
        f"Get another one for its hosts, put it in the place of the one of `certificates.{name}`, and run "
        "`pulumi up`: no connection is lost."
    )


@cache
def system_store() -> tuple[x509.Certificate, ...]:
    """The authorities that this machine's store has; none where there is no store."""
    found: list[x509.Certificate] = []
    for store in (store for store in STORES if store.is_file()):
        for block in blocks(Text(str(store), store.read_text())):
            # One that this library does not read is none that anything here is verified by.
            with contextlib.suppress(ValueError), warnings.catch_warnings(action="ignore"):
                found.append(x509.load_pem_x509_certificate(block.pem.encode()))
        break
    return tuple(found)
