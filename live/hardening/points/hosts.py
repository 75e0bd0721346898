"""Hosts' own settings, which the benchmark has no numbers for: TLS, sshd and the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from live.hardening import judges
from live.hardening.facts import HostFacts
from live.hardening.judges import API_SERVER, ETCD, Judge, flags, setting
from live.hardening.mends import declared, in_manifest
from live.hardening.model import Decider, Point, Scope, State

_TLS = "tls-min-version"
_OLD = ("VersionTLS10", "VersionTLS11")
FLAGS = (_TLS,)
"""Flags of API server and etcd that these points look at."""
SETTINGS = ("tlsMinVersion",)
"""Settings of kubelet that they look at."""
_ROOT_LOGIN: Mapping[str, tuple[str, ...]] = {"permitrootlogin": ("no",)}
_PASSWORDS: Mapping[str, tuple[str, ...]] = {
    "passwordauthentication": ("no",),
    "kbdinteractiveauthentication": ("no",),
}
_EMPTY: Mapping[str, tuple[str, ...]] = {"permitemptypasswords": ("no",)}
SSHD = tuple({**_ROOT_LOGIN, **_PASSWORDS, **_EMPTY})
"""Settings of sshd that they look at."""
_MACHINE = "as the machine was made; no role changes it unless `ssh.hardened: true` is declared"
_KUBELET_SETS = "kubelet sets it when it starts"

_OF_KUBELET: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("vm.overcommit_memory", ("1",), "The kernel promises memory as kubelet counts on it"),
    ("vm.panic_on_oom", ("0",), "Without memory, the kernel ends a process and not the machine"),
    ("kernel.panic", ("10",), "A machine that has stopped in a panic starts anew"),
    ("kernel.panic_on_oops", ("1",), "A kernel that has made a mistake does not go on"),
)
"""What kubelet itself sets, or refuses to start without where `protectKernelDefaults` is declared (kubelet,
`setupKernelTunables`)."""
_OF_LINUX: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("kernel.randomize_va_space", ("2",), "Programs lie at other addresses each time"),
    ("fs.protected_hardlinks", ("1",), "Nobody links to files that he may not write"),
    ("fs.protected_symlinks", ("1",), "Nobody is led astray by links in common directories"),
    ("fs.suid_dumpable", ("0",), "Programs with another user's rights leave no memory behind"),
    ("kernel.dmesg_restrict", ("1",), "Root alone reads the kernel's log"),
    ("kernel.kptr_restrict", ("1", "2"), "The kernel's addresses are told to nobody but root"),
    ("kernel.unprivileged_bpf_disabled", ("1", "2"), "Root alone loads programs into the kernel"),
    ("net.ipv4.tcp_syncookies", ("1", "2"), "Half-open connections shut nobody out"),
    ("net.ipv4.conf.all.accept_source_route", ("0",), "Senders do not say the way back"),
    (
        "net.ipv4.conf.default.accept_redirects",
        ("0",),
        "New interfaces take no other way because of a message",
    ),
    ("net.ipv4.conf.all.send_redirects", ("0",), "The machine sends nobody another way"),
    ("net.ipv6.conf.all.accept_redirects", ("0",), "No message of IPv6 changes a way"),
)
"""Settings of any Linux machine: name, good values, and what for."""
_BY_ROLE = "the role `base` sets it where it is not good; in a container, the computer decides"


def _point(
    number: int,
    title: str,
    scope: Scope,
    wanted: str,
    judge: Judge,
    *,
    decided_by: Decider,
    fix: str,
    default: State | None,
    today: str,
) -> Point[HostFacts]:
    return Point(
        number=f"H.{number}",
        title=title,
        scope=scope,
        wanted=wanted,
        decided_by=decided_by,
        judge=judge,
        fix=fix,
        default=default,
        today=today,
    )


def _tls() -> Iterator[Point[HostFacts]]:
    today = "nobody sets it: Kubernetes and Go take nothing below 1.2"
    for number, (program, title) in enumerate(
        ((API_SERVER, "The API server takes no TLS below 1.2"), (ETCD, "etcd takes no TLS below 1.2")), 1
    ):
        wanted = f"--{_TLS} of 1.2 or 1.3, or not set"
        yield _point(
            number,
            title,
            Scope.CONTROL_PLANE,
            wanted,
            flags(program, judges.modern_tls),
            decided_by=Decider.KUBERNETES,
            fix=in_manifest(program, wanted),
            default=State.HOLDS,
            today=today,
        )
    yield _point(
        3,
        "kubelet takes no TLS below 1.2",
        Scope.NODE,
        "tlsMinVersion: VersionTLS12, VersionTLS13 or not set",
        setting("tlsMinVersion", lambda version: version not in _OLD, flag=_TLS, default="VersionTLS12"),
        decided_by=Decider.KUBERNETES,
        fix=declared("tlsMinVersion: VersionTLS13"),
        default=State.HOLDS,
        today=today,
    )


def _sshd() -> Iterator[Point[HostFacts]]:
    own = "/etc/ssh/sshd_config.d/50-hardening.conf"
    for number, title, good, wanted, extra, who in (
        (
            4,
            "root does not log in by ssh",
            _ROOT_LOGIN,
            "PermitRootLogin no",
            "declare another `ssh.user` first, who may use sudo, or nobody can log in any more; then ",
            "; where the declaration's `ssh.user` is root, it has to let root in",
        ),
        (
            5,
            "Nobody logs in by ssh with a password",
            _PASSWORDS,
            "PasswordAuthentication no, KbdInteractiveAuthentication no",
            "",
            "",
        ),
        (6, "Nobody logs in by ssh with an empty password", _EMPTY, "PermitEmptyPasswords no", "", ""),
    ):
        yield _point(
            number,
            title,
            Scope.HOST,
            wanted,
            judges.sshd(good),
            decided_by=Decider.OPERATOR,
            fix=f"{extra}declare `ssh.hardened: true`; or on the host, in {own}: {wanted}; and "
            "`systemctl reload ssh`",
            default=State.HOLDS if good is _EMPTY else None,
            today="sshd has it so by default" if good is _EMPTY else _MACHINE + who,
        )


def _sysctls() -> Iterator[Point[HostFacts]]:
    number = 7
    for name, good, title in _OF_KUBELET:
        at_hand = f"on the host, in /etc/sysctl.d/60-hardening.conf: {name} = {good[0]}; and "
        fix = at_hand + "`systemctl restart systemd-sysctl`"
        yield _sysctl(number, name, good, title, Scope.NODE, Decider.KUBERNETES, _KUBELET_SETS, fix)
        number += 1
    for name, good, title in _OF_LINUX:
        fix = f"run `pulumi up --refresh`; of a container, on its computer: `sysctl -w {name}={good[0]}`"
        yield _sysctl(number, name, good, title, Scope.HOST, Decider.ROLE, _BY_ROLE, fix)
        number += 1


def _sysctl(
    number: int,
    name: str,
    good: tuple[str, ...],
    title: str,
    scope: Scope,
    decided_by: Decider,
    today: str,
    fix: str,
) -> Point[HostFacts]:
    return _point(
        number,
        title,
        scope,
        f"{name} = {' or '.join(good)}",
        judges.sysctl(name, *good),
        decided_by=decided_by,
        fix=fix,
        default=State.HOLDS,
        today=today,
    )


SYSCTLS = (*(name for name, _, _ in _OF_KUBELET), *(name for name, _, _ in _OF_LINUX))
"""Settings of the kernel that they look at."""
POINTS: tuple[Point[HostFacts], ...] = (*_tls(), *_sshd(), *_sysctls())
