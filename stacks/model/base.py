"""What every column of the model is made of: its base class, and values that several of them have."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
EXPOSED_NAME = r"^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
VERSION = r"^\d+\.\d+(\.\d+)?$"
QUANTITY = r"^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
LABEL_KEY = (
    r"^(([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
SSH_ADDRESS = r"^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$"
PACKAGE = r"^[a-z0-9][a-z0-9.+-]+$"
BUNDLE = r"^[a-z0-9]([-a-z0-9.]{0,125}[a-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
HOST_NAME = r"^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
LOGIN = r"^[A-Za-z0-9_][A-Za-z0-9_.@+\\-]{0,254}[$]?$"
HTTPS = r"^https://[^\s/@]+(/\S*)?$"
URL = r"^https?://\S+$"
APT_WORD = r"^[A-Za-z0-9./][A-Za-z0-9./+_:~-]*$"
PATH_PREFIX = r"^/[A-Za-z0-9/_.-]*$"
ROUTE_PATH = r"^/(\.*[A-Za-z0-9_~-][A-Za-z0-9_.~-]*(/\.*[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?)?$"
HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
HEADER_VALUE = r"^[!-~]([ -~]*[!-~])?$"
DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
PROXY = r"^https?://[^\s/@]+/?$"
UNPROXIED = r"^\.?[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:\d+|/\d+)?$"
REGISTRY = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?$"
FILE_PATH = r"^(/[A-Za-z0-9._-]+)+$"
STORE = r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=/-]*)?|[/~][^\n]*)$"
LOCAL_FILE = r"^[^\n-][^\n]*$"
SECRET_NAME = r"^[A-Za-z][-A-Za-z0-9_.]*$"
COUNTRY = r"^[A-Z]{2}$"

FORMS: dict[str, tuple[str, str]] = {
    DNS_LABEL: (
        "DNS label",
        "a DNS label: a-z, 0-9 and '-', at most 63 characters, '-' neither first nor last",
    ),
    DNS_NAME: ("DNS name", "a DNS name of two labels or more, in lower case"),
    EXPOSED_NAME: (
        "DNS name",
        "a DNS name of two labels or more, in lower case; * as its first label for every other one",
    ),
    VERSION: ("version", "a version of two or three numbers, in quotes"),
    QUANTITY: (
        "amount",
        'an amount as Kubernetes writes it, in quotes where it is a number: 500m, "1.5", 64Mi',
    ),
    LABEL_KEY: (
        "label key",
        "a name of at most 63 letters, digits and - _ . with a DNS name and / before it where it has one",
    ),
    LABEL_VALUE: ("label value", "letters, digits and - _ . in the middle, at most 63 characters"),
    HOST_NAME: (
        "name or address",
        "a DNS name in lower case, with *. before it for all below it, or an IPv4 address",
    ),
    HTTPS: ("URL", "a URL that begins with https://, without user and password"),
    LOGIN: (
        "login name",
        "a login name: letters, digits and _ - . @ + \\, the first one a letter, a digit or _",
    ),
    SECRET_NAME: ("secret's name", "the name of a stack secret: letters, digits and - _ . , a letter first"),
    SSH_ADDRESS: ("name or address", "a name of DNS or an address (IPv4 or IPv6, without brackets)"),
    PACKAGE: ("package", "the name of a package: a-z, 0-9 and + - ."),
    BUNDLE: ("bundle", "the name of a bundle: a-z, 0-9 and - ., without the .tar of its file"),
    URL: ("URL", "a URL that begins with http:// or https://, without blanks"),
    APT_WORD: ("word", "a word of letters, digits and . / + - _ : ~, as apt's sources have them"),
    PROXY: (
        "URL",
        "http:// or https:// and the proxy's host and port; one that asks for a login is not supported yet",
    ),
    UNPROXIED: (
        "name or network",
        "a name (with a dot before it: what is below it alone), an address, or a network; no *",
    ),
    REGISTRY: ("registry", "the host that images' names begin with, and its port where they name one"),
    FILE_PATH: (
        "absolute path",
        "a path that begins with /, of letters, digits and / _ . - , no / at its end",
    ),
    STORE: ("place", "a directory that begins with / or ~, or s3://bucket/prefix of any S3 endpoint"),
    LOCAL_FILE: ("path", "the path of a file on this machine, in one line"),
    COUNTRY: ("country", "two capital letters, as ISO 3166-1 has them"),
    r"^/": ("path", "a path that begins with /"),
    PATH_PREFIX: ("path", "a path prefix that begins with /, of letters, digits and / _ . -; no expression"),
    ROUTE_PATH: (
        "path",
        "a path that begins with /, of segments of letters, digits and _ . ~ - ; none is empty or of dots",
    ),
    HEADER: ("header", "the name of a header of HTTP: letters, digits and - _ . and some more; no :"),
    HEADER_VALUE: ("header's value", "visible characters of ASCII, with blanks between them alone"),
    DURATION: ("time", "a whole number of h, m, s or ms, or several, the greatest first: 500ms, 10s, 1m30s"),
}
"""What texts of a pattern are called, and what is said to one that does not match it."""

Label = Annotated[str, Field(pattern=DNS_LABEL)]
"""A DNS label (RFC 1123): a-z, 0-9 and '-', at most 63 characters."""

Domain = Annotated[str, Field(pattern=DNS_NAME, max_length=253)]
"""A DNS name of two labels or more."""

ExposedName = Annotated[str, Field(pattern=EXPOSED_NAME, max_length=253)]
"""A DNS name of two labels or more, or a wildcard below one."""

LoginName = Annotated[str, Field(pattern=LOGIN)]
"""The name of a user of a machine: what useradd(8) and directories of users have, and no more strictly."""

AptWord = Annotated[str, Field(pattern=APT_WORD)]
"""What apt's sources have as a suite or a component."""

LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
"""The key of a label or taint of Kubernetes."""

SecretName = Annotated[str, Field(pattern=SECRET_NAME)]
"""The name of a secret of the stack, below `crossmesh:`."""

SshAddress = Annotated[str, Field(pattern=SSH_ADDRESS)]
"""What ssh reaches a host by: a name of DNS, or an address."""

Package = Annotated[str, Field(pattern=PACKAGE)]
"""The name of a Debian package."""

BundleName = Annotated[str, Field(pattern=BUNDLE)]
"""The name of a bundle of container images: that of its file, without `.tar`."""

Quantity = Annotated[str, Field(pattern=QUANTITY)]
"""An amount of something, as Kubernetes writes it."""

LocalFile = Annotated[str, Field(pattern=LOCAL_FILE)]
"""The path of a file on the operator's machine; never what is in it."""


def _has_prefix(value: object) -> object:
    if isinstance(value, str) and "/" not in value:
        raise ValueError("a network without its prefix length")
    return value


Network = Annotated[IPv4Network, BeforeValidator(_has_prefix)]
"""A network with its prefix length; ipaddress takes an address alone for a network of one."""

Port = Annotated[int, Field(ge=1, le=65535)]
Asn = Annotated[int, Field(ge=1, le=4294967294)]


FilePath = Annotated[str, Field(pattern=FILE_PATH)]
"""An absolute path in a container, or on a host."""


class Model(BaseModel):
    """Base of every part of the model: immutable, unknown keys refused, camelCase in files."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
