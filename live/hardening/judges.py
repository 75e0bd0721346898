"""Judgements over a host's facts that many points have in common, each made for one point from data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from live.hardening.facts import KUBELET, Arguments, File, HostFacts
from live.hardening.model import Verdict, apart, either, fails, few, holds, unknown

Judge = Callable[[HostFacts], Verdict]
OfFlags = Callable[[Arguments], Verdict]
ROOT = "root:root"
API_SERVER, CONTROLLER_MANAGER, SCHEDULER, ETCD = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
)
STRONG_CIPHERS = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        *(
            f"TLS_ECDHE_{key}_WITH_{cipher}"
            for key in ("ECDSA", "RSA")
            for cipher in (
                "AES_128_GCM_SHA256",
                "AES_256_GCM_SHA384",
                "CHACHA20_POLY1305",
                "CHACHA20_POLY1305_SHA256",
            )
        ),
    }
)
"""Suites with forward secrecy and authenticated encryption, by Go's names: those of TLS 1.3, and of TLS 1.2
those with ECDHE and GCM or ChaCha20."""
_OLD_TLS = ("VersionTLS10", "VersionTLS11", "TLS1.0", "TLS1.1")
_UNSET = object()


# -- Files


def modes(most: int, *patterns: str, optional: str = "") -> Judge:
    """No file of the patterns gives more rights than `most`. optional: why there may be none of them."""

    def judge(facts: HostFacts) -> Verdict:
        found = _found(facts, patterns)
        if not found:
            return _nothing(patterns, optional)
        wide = [file for file in found if file.mode & ~most]
        return (
            fails(few([_mode(file) for file in wide])) if wide else holds(_alike([_octal(f) for f in found]))
        )

    return judge


def owners(owner: str, *patterns: str, optional: str = "") -> Judge:
    """All files of the patterns are this owner's."""

    def judge(facts: HostFacts) -> Verdict:
        found = _found(facts, patterns)
        if not found:
            return _nothing(patterns, optional)
        others = [file for file in found if file.owner != owner]
        return fails(few([f"{file.path} is {file.owner}'s" for file in others])) if others else holds(owner)

    return judge


def _found(facts: HostFacts, patterns: tuple[str, ...]) -> list[File]:
    return [file for pattern in patterns for file in facts.files.get(pattern, ())]


def _nothing(patterns: tuple[str, ...], optional: str) -> Verdict:
    return apart(optional) if optional else unknown(f"{' and '.join(patterns)}: nothing is there")


def _mode(file: File) -> str:
    return f"{file.path} {_octal(file)}"


def _octal(file: File) -> str:
    return f"{file.mode:04o}"


def _alike(words: list[str]) -> str:
    return ", ".join(sorted(set(words)))


# -- Flags


def flags(program: str, of_flags: OfFlags) -> Judge:
    """A judgement over a program's flags, where they are known."""

    def judge(facts: HostFacts) -> Verdict:
        arguments = facts.arguments.get(program)
        return unknown(absent(program)) if arguments is None else of_flags(arguments)

    return judge


def absent(program: str) -> str:
    """Why flags are not known."""
    if program == KUBELET:
        return "kubelet.service does not run"
    return f"/etc/kubernetes/manifests/{program}.yaml is not there"


def is_value(name: str, value: str, default: str = "") -> OfFlags:
    """A flag is `value`. default: what it is where it is not given."""

    def judge(arguments: Arguments) -> Verdict:
        return either((arguments.last(name) or default).lower() == value, told(arguments, name, default))

    return judge


def not_value(name: str, value: str) -> OfFlags:
    """A flag is not given, or is not `value`."""
    return lambda arguments: either(arguments.last(name) != value, told(arguments, name))


def given(*names: str) -> OfFlags:
    """All of these flags are given."""
    return lambda arguments: either(
        all(arguments.last(name) for name in names), "; ".join(told(arguments, name) for name in names)
    )


def not_given(name: str) -> OfFlags:
    """A flag is not given."""
    return lambda arguments: either(arguments.last(name) is None, told(arguments, name))


def includes(name: str, item: str) -> OfFlags:
    """A list has an item."""
    return lambda arguments: either(item in arguments.items(name), told(arguments, name))


def excludes(name: str, item: str) -> OfFlags:
    """A list has not an item."""
    return lambda arguments: either(item not in arguments.items(name), told(arguments, name))


def at_least(name: str, least: int, default: str = "") -> OfFlags:
    """A flag is a number of at least this size."""

    def judge(arguments: Arguments) -> Verdict:
        value = arguments.last(name) or ""
        return either(value.isdigit() and int(value) >= least, told(arguments, name, default))

    return judge


def told(arguments: Arguments, name: str, default: str = "") -> str:
    """A flag as it stands, or that it does not."""
    values = arguments.values.get(name)
    if values is None:
        return f"no --{name}" + (f" (by default {default})" if default else "")
    return " ".join(f"--{name}={value}" for value in values)


def strong_ciphers(arguments: Arguments) -> Verdict:
    """Of the suites that are named, all are strong; or TLS 1.3 is asked for, whose suites all are."""
    if arguments.last("tls-min-version") in ("VersionTLS13", "TLS1.3"):
        return holds(told(arguments, "tls-min-version"))
    name = "cipher-suites" if "cipher-suites" in arguments.values else "tls-cipher-suites"
    suites = arguments.items(name)
    weak = sorted(set(suites) - STRONG_CIPHERS)
    if weak:
        return fails(f"--{name} has {few(weak)}")
    return holds(f"{len(suites)} strong ones") if suites else fails(f"no --{name}: Go's own, CBC among them")


def modern_tls(arguments: Arguments) -> Verdict:
    """No TLS below 1.2; Go's own servers take none below it either."""
    return either(
        arguments.last("tls-min-version") not in _OLD_TLS, told(arguments, "tls-min-version", "TLS 1.2")
    )


# -- Settings of kubelet


def setting(
    path: str, good: Callable[[Any], bool], *, flag: str = "", default: Any = None, wanting: Any = _UNSET
) -> Judge:
    """A setting of kubelet's, by its path with dots; a flag of kubelet's counts before it.

    default: what kubelet has where nothing is said. wanting: what kubelet takes a value for that is none,
    where that is another one than `default`.
    """

    def judge(facts: HostFacts) -> Verdict:
        arguments = facts.arguments.get(KUBELET)
        if arguments is None:
            return unknown(absent(KUBELET))
        if flag and (said := arguments.last(flag)) is not None:
            return either(good(_value(said)), f"--{flag}={said}")
        value = _at(facts.kubelet, path)
        if value is None:
            return either(good(default), f"no {path} (by default {_words(default)})")
        taken = default if value == wanting else value
        return either(good(taken), f"{path}: {_words(value)}")

    return judge


def _value(text: str) -> Any:
    """A flag's text as a file would have it."""
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return int(text) if text.lstrip("-").isdigit() else text


def _at(settings: Mapping[str, Any], path: str) -> Any:
    found: Any = settings
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- Settings of the host


def sysctl(name: str, *good: str) -> Judge:
    """A setting of the kernel has one of these values."""

    def judge(facts: HostFacts) -> Verdict:
        value = facts.sysctls.get(name)
        return (
            apart("this kernel has no such setting")
            if value is None
            else either(value in good, f"{name} = {value}")
        )

    return judge


def sshd(good: Mapping[str, tuple[str, ...]]) -> Judge:
    """Settings of sshd, each with one of its good values."""

    def judge(facts: HostFacts) -> Verdict:
        if not facts.sshd:
            return unknown("sshd does not say its settings", "see what `sshd -T` says on the host")
        there = {name: facts.sshd.get(name) for name in good}
        words = "; ".join(f"{name} {value or 'is not known to it'}" for name, value in there.items())
        # By default and for root, where these are not the same.
        kept = (set(value.split(",")) <= {*good[name]} for name, value in there.items() if value is not None)
        return either(all(kept), words)

    return judge
