"""Certificates of exposed hosts that are not of the gateways' own authority."""

from __future__ import annotations

from pydantic import Field

from stacks.model.applications import Secret
from stacks.model.base import ExposedName, LocalFile, Model


class GivenParts(Model):
    """What its owner gives of a certificate, in PEM. Files lie beside the stack file, unless their path says
    where.

    Before anything is touched they are held against each other, against the hosts and against the clock.
    """

    certificate: LocalFile | Secret = Field(
        description="the certificate; the authorities that have signed it may follow it"
    )
    chain: LocalFile | Secret | None = Field(
        default=None, description="the authorities between it and the root, in any order; roots are left out"
    )
    private_key: LocalFile | Secret = Field(
        description="its key, without a passphrase: RSA of 2048 bits or more, or ECDSA over P-256, P-384 or "
        "P-521. Never in the repository: a stack secret, or a file that its owner alone may read"
    )
    ca: LocalFile | None = Field(
        default=None,
        description="the authorities that its clients trust, name servers among them; without it, those of "
        "the system's store",
    )


class CertificateSpec(Model):
    """A certificate for exposed hosts; the others have one each of the gateways' own authority."""

    hosts: tuple[ExposedName, ...] = Field(
        min_length=1,
        description="the exposed hosts that have it, by name, or by *.name for each directly below it that "
        "no certificate names more exactly",
    )
    given: GivenParts = Field(description="given by its owner")
