"""How to mend a value that has the wrong form: only what can be followed is proposed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from stacks.model.base import (
    APT_WORD,
    DNS_LABEL,
    DNS_NAME,
    EXPOSED_NAME,
    FILE_PATH,
    HTTPS,
    LABEL_KEY,
    LABEL_VALUE,
    LOCAL_FILE,
    LOGIN,
    PATH_PREFIX,
    QUANTITY,
    REGISTRY,
    SECRET_NAME,
    URL,
    VERSION,
)
from stacks.wishes import DUAL_STACK, POD_RANGES

_NETWORK = "an IPv4 network in CIDR notation, with its prefix length and no bits set behind that"
_ADDRESS = "an IPv4 address: four numbers from 0 to 255, with dots"
_SPOKEN = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""How people and older readers of YAML write booleans."""
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_TAINT = re.compile(r"^(?P<key>[^=:\s]+)(=(?P<value>[^:\s]*))?:(?P<effect>[A-Za-z]+)$")


@dataclass(frozen=True)
class Keys:
    """The keys that a mapping may have; of a list, those of its entries. Empty where they are free."""

    known: Sequence[str]
    required: Sequence[str]

    @property
    def listed(self) -> str:
        """The keys, those first that must be there."""
        further = [key for key in self.known if key not in self.required]
        if not self.required or not further:
            return ", ".join(self.known)
        return f"{', '.join(self.required)}, and where they are wanted {', '.join(further)}"


def advice(pattern: str, text: str) -> str:
    """What to write where `text` does not match `pattern`."""
    make = _BY_PATTERN.get(pattern)
    return make(text) if make else "write it in that form"


def as_label(text: str) -> str:
    """A DNS label that is like a text; of a full name its first label. Empty where none is."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower().partition(".")[0]).strip("-")
    return label if re.fullmatch(DNS_LABEL.strip("^$"), label) else ""


def of_address(wanted: str, value: Any) -> tuple[str, str] | None:
    """The rule and the fix of what is no IPv4 address or network; None where `wanted` is neither.

    wanted: the annotation of the place. value: what stands there.
    """
    if "IPv4Network" in wanted:
        return _of_network(value)
    if "IPv4Address" not in wanted:
        return None
    text = str(value)
    if re.fullmatch(r"[\d.]+/\d+", text) and _networks([text]):
        return _ADDRESS, f"write {text.partition('/')[0]}"
    if ":" in text and _networks([text]):
        return f"{_ADDRESS}; {DUAL_STACK.rule}", DUAL_STACK.until
    if re.fullmatch(DNS_NAME.strip("^$"), text.lower()) and not text[-1].isdigit():
        return _ADDRESS, f"write the address that `getent ahostsv4 {text}` prints"
    return _ADDRESS, "write for example 192.0.2.11"


def _of_network(value: Any) -> tuple[str, str]:
    parts = [str(part) for part in value] if isinstance(value, list) else re.split(r"[,\s]+", str(value))
    networks = _networks(parts)
    if any(isinstance(network, IPv6Network) for network in networks):
        own = [str(network) for network in networks if isinstance(network, IPv4Network)]
        return f"{_NETWORK}; {DUAL_STACK.rule}", f"write {own[0]} alone" if own else DUAL_STACK.until
    if len(parts) > 1 and networks:
        return f"{_NETWORK}; {POD_RANGES.rule}", POD_RANGES.until
    if networks and "/" not in parts[0]:
        return _NETWORK, f"write it with the prefix length that it has, such as {parts[0]}/24"
    return _NETWORK, f"write {networks[0]}" if networks else "write for example 172.30.0.0/16"


def _networks(parts: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    """Texts as networks; none where one of them is none."""
    try:
        return [ip_network(part, strict=False) for part in parts]
    except ValueError:
        return []


def of_secret(key: str, *, is_named: bool) -> tuple[str, str]:
    """The rule and the fix of a secret that is encrypted where none is taken.

    key: empty where a mapping stands for it. is_named: whether the key takes the name of one.
    """
    if not key:
        fix = "run `pulumi config set --secret NAME`, which asks for it, and write {secret: NAME}"
        return "the name of a stack secret, not the secret itself", fix
    if is_named:
        fix = f"run `pulumi config set --secret {key}`, and name it here: `{key}: {key}`"
        return "the name of a stack secret, not the secret itself", fix
    return (
        "secrets lie in `environment` and `files` of applications, and under names of their own",
        "remove it, set it under a name of its own (`pulumi config set --secret NAME`), and name it "
        "where a key takes the name of a secret (docs/reference/stack-file.md)",
    )


def of_type(
    wanted: Sequence[str], value: Any, written: str, keys: Keys, about: str = "", least: int = 0
) -> str:
    """What to write instead of a value of another type.

    wanted: the types that are taken, in words. written: the value as it stands in the file. about: what the
    value is for. least: characters that a text must have.
    """
    if "text" in wanted and not isinstance(value, (dict, list)):
        if value is not None and len(written) < least:
            return f"write {least} characters or more"
        return f'put it in quotes: "{written}"' if value is not None else 'write "", or remove the line'
    if wanted == ["a whole number"]:
        number = _number(str(value), about) if isinstance(value, str) else None
        return f"write {number}" if number else "write a whole number"
    if wanted == ["true or false"]:
        said = _SPOKEN.get(str(value).lower())
        return f"write {said}" if said else "write true or false"
    if "a list" in wanted:
        return _as_list(value, written, keys)
    return _as_mapping(value, keys) if "a mapping" in wanted else f"write {wanted[0]}"


def _number(text: str, about: str) -> str | None:
    """A number that is written as people do: in quotes, with a word before it, a time with its unit."""
    if re.fullmatch(r"\s*-?\d+\s*", text):
        return f"it without quotes: {text.strip()}"
    if found := re.fullmatch(r"(?:AS|/)\s?(\d+)", text, re.IGNORECASE):
        return found[1]
    found = re.fullmatch(r"(\d+)\s?([smh])", text)
    return str(int(found[1]) * _SECONDS[found[2]]) if found and "seconds" in about else None


def _as_list(value: Any, written: str, keys: Keys) -> str:
    if isinstance(value, dict):
        return "put it into a list: `- ` before its first key, or [] around it"
    if keys.known:
        return f"write a list of mappings with the keys {keys.listed}"
    return f"write [{written}]" if value is not None else "write a list"


def _as_mapping(value: Any, keys: Keys) -> str:
    if "first" in keys.known and (span := _range(value)):
        return span
    if keys.known:
        taint = _TAINT.match(str(value)) if "effect" in keys.known else None
        own = "{}, or its keys" if not keys.required else "its keys"
        return f"write {_taint(taint.groupdict()) if taint else f'{own}: {keys.listed}'}"
    if isinstance(value, list) and value:
        entry = value[0]
        name = entry.get("name") if isinstance(entry, dict) else entry
        holds = "{…}" if not isinstance(entry, dict) or set(entry) != {"name", "value"} else "…"
        return f"write each entry below its name, without a dash: `{name or 'NAME'}: {holds}`"
    return "write a mapping"


def _range(value: Any) -> str:
    """A range of addresses as MetalLB has it (`first-last`, or a network), as the declaration has it."""
    text = str(value[0] if isinstance(value, list) and len(value) == 1 else value).replace(" ", "")
    first, dash, last = text.partition("-")
    if not dash:
        networks = _networks([text])
        first, last = (str(networks[0][0]), str(networks[0][-1])) if networks else ("", "")
    return f"write {{first: {first}, last: {last}}}" if _networks([first, last]) else ""


def _taint(parts: Mapping[str, str | None]) -> str:
    """A taint as the declaration has it, of what `kubectl taint` takes."""
    value = f'value: "{parts["value"]}", ' if parts["value"] else ""
    return f"{{key: {parts['key']}, {value}effect: {parts['effect']}}}"


def _label(text: str) -> str:
    label = as_label(text)
    return f"change it, for example to {label}" if label else "change it to a label"


def _name(text: str) -> str:
    better = urlsplit(text if "://" in text else f"//{text}").netloc.rpartition("@")[2].lower()
    better = re.sub(r":\d+$", "", better).rstrip(".").replace("_", "-")
    if better != text and re.fullmatch(DNS_NAME.strip("^$"), better):
        return f"write {better}"
    return "write it in full, for example shop.example.org"


def _prefix(text: str) -> str:
    found = re.match(PATH_PREFIX.removesuffix("$"), f"/{text.lstrip('/')}")
    prefix = (found[0] if found else "/").rstrip("/") or "/"
    return f"write the prefix, for example {prefix}; what is below it is meant as well"


def _amount(text: str) -> str:
    found = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*([kKMGT])?(i)?[bB]?\s*", text)
    if found is None:
        return 'write for example 500m, "1.5" or 64Mi'
    size, unit, binary = found[1].replace(",", "."), found[2] or "", found[3] or ""
    return f"write {size}{'k' if unit == 'K' and not binary else unit}{binary}"


_BY_PATTERN: Mapping[str, Callable[[str], str]] = {
    DNS_LABEL: _label,
    DNS_NAME: _name,
    EXPOSED_NAME: _name,
    FILE_PATH: lambda text: f"write for example /{text.strip('/') or 'var/cache'}",
    HTTPS: lambda text: f"write https://{text.rpartition('://')[2].rpartition('@')[2]}",
    LABEL_KEY: lambda _: "write for example example.org/disk",
    LABEL_VALUE: lambda _: "leave out every other character",
    LOCAL_FILE: lambda _: "write it into a file, and its path here",
    LOGIN: lambda _: "write the name that `id -un` prints there for this user",
    PATH_PREFIX: _prefix,
    QUANTITY: _amount,
    REGISTRY: lambda text: f"write {text.rpartition('://')[2].rpartition('@')[2].partition('/')[0].lower()}",
    SECRET_NAME: lambda _: "run `pulumi config set --secret NAME`, which asks for it, and write NAME here",
    VERSION: lambda _: 'write it as "1.35" or "1.35.3"',
    r"^/": lambda text: f"write /{text}",
    APT_WORD: lambda _: "write one word, and an entry of its own for each further one",
    URL: lambda _: "begin it with http:// or https://, and leave out blanks",
}
"""By the pattern of a place, what to write there instead of a text."""
