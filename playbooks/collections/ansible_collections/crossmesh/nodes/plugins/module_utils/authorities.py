"""Authorities of a cluster, on a host that is its member: which it trusts, and which has issued what it
shows.

One follows another as Kubernetes' "Manual Rotation of CA Certificates" has it: all trust the new one before
anything is issued by it, and all show what it has issued before the old one is trusted no more. What other
nodes trust and show is written on their Node objects.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils import endpoint, kubelet, objects, trust
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run, wait_until_well, write
from ansible_collections.crossmesh.nodes.plugins.module_utils.kubelet import KubeletError
from ansible_collections.crossmesh.nodes.plugins.module_utils.objects import ObjectsError
from ansible_collections.crossmesh.nodes.plugins.module_utils.trust import Said, Wanted

TRUSTED, SHOWN = "crossmesh/authorities-trusted", "crossmesh/authorities-shown"
"""Annotations of a node: names of the authorities that all on its host surely trusts, and of those by which
what it shows may have been issued."""
_POLL, _SETTLE = 1.0, 0.0
_CONTROL_PLANE = "--kubeconfig=/etc/kubernetes/admin.conf"
_NODE = "--kubeconfig=/etc/kubernetes/kubelet.conf"

Carry = Callable[["tuple[str, ...]", str], None]
"""Runs kubeadm with a configuration."""


class AuthoritiesError(Exception):
    """Authorities must not be exchanged so, or were not; says why, and what to do."""


# -- Whether it may be


def others(node: str) -> dict[str, Said]:
    """What the other nodes say; nothing of one that does not."""
    done = run("kubectl", _CONTROL_PLANE, "--request-timeout=10s", "get", "nodes", "--output=json")
    if done.returncode:
        raise AuthoritiesError(f"nobody says which authorities the other nodes trust: {done.stderr.strip()}")
    found = {}
    for each in json.loads(done.stdout)["items"]:
        said = each["metadata"].get("annotations") or {}
        trusts, shows = (frozenset(said.get(key, "").split(",")) - {""} for key in (TRUSTED, SHOWN))
        found[each["metadata"]["name"]] = Said(trusts, shows)
    found.pop(node, None)
    return found


def see_that_it_may_come(before: Said, wanted: Sequence[str], there: Mapping[str, Said]) -> None:
    """Raise AuthoritiesError where others would not trust what this host is to show, or this host not what
    others show. wanted: names, in their order. there: what the other nodes say."""
    if before.shows - {wanted[0]} or not before.shows:
        distrusting = sorted(node for node, said in there.items() if wanted[0] not in said.trusts)
        if distrusting:
            raise AuthoritiesError(
                f"certificates would be issued by {wanted[0]}, which {', '.join(distrusting)} does not trust "
                "yet. Bring it to all nodes first: as the second of `certificateAuthorities`, and `pulumi up`"
            )
    gone = before.trusts - set(wanted)
    showing = sorted(node for node, said in there.items() if gone and (gone & said.shows or not said.shows))
    if showing:
        raise AuthoritiesError(
            f"{', '.join(sorted(gone))} would not be trusted any more, and {', '.join(showing)} shows what "
            "it has issued. Have another one as the first of `certificateAuthorities` first, and `pulumi "
            "up`; the runbook rotate-certificate-authority does all of it in its order"
        )


def prepare(wanted: Wanted) -> None:
    """See that a control plane may be brought to other authorities, and say on its node that it is."""
    before = trust.present(wanted)
    see_that_it_may_come(before, wanted.names, others(wanted.node))
    publish(wanted, while_it_changes(before, wanted.names))


def publish(wanted: Wanted, said: Said) -> None:
    """Say on this host's node what it trusts and shows. Raises AuthoritiesError."""
    words = [f"{key}={','.join(sorted(of))}" for key, of in ((TRUSTED, said.trusts), (SHOWN, said.shows))]
    by = _CONTROL_PLANE if wanted.key else _NODE
    done = run(
        *("kubectl", by, "--request-timeout=10s", "annotate", "--overwrite", f"node/{wanted.node}", *words)
    )
    if done.returncode:
        raise AuthoritiesError(
            f"which authorities {wanted.node} trusts is not written on its node: {done.stderr.strip()}"
        )


def publish_soon(wanted: Wanted) -> None:
    """The same on a host that has just joined, whose node is there in a moment. Raises AuthoritiesError."""

    def complaints() -> list[str]:
        try:
            publish(wanted, trust.present(wanted))
        except AuthoritiesError as error:
            return [str(error)]
        return []

    if words := wait_until_well(complaints, timeout=kubelet.SECONDS, settle=_SETTLE, poll=_POLL):
        raise AuthoritiesError("; ".join(words))


def while_it_changes(before: Said, wanted: Sequence[str]) -> Said:
    """What a host says while it is brought to other authorities: nobody counts on more."""
    return Said(before.trusts & set(wanted), before.shows | {wanted[0]})


# -- Bringing it about


def bring(wanted: Wanted, begun: Path, carry: Carry, config: str) -> None:
    """Have this host trust what is wanted, and show what its first has issued; start kubelet anew by it.

    begun: is made before, and taken away at the end: a run that was killed is taken up. carry, config:
    kubeadm and its configuration, on a host that issues. Raises AuthoritiesError, and what `carry` does.
    """
    write(begun, "", 0o600)
    if wanted.key:
        _issue(wanted, carry, config)
        write(trust.pki("ca.key"), f"{wanted.key.strip()}\n", 0o600)
    write(trust.pki("ca.crt"), wanted.bundle, 0o644)
    _trust_in_kubeconfigs(wanted)
    signer = trust.certificates(wanted.bundle)[:1]
    if not wanted.key and trust.issued_by(trust.text_of(trust.current()), signer) != wanted.names[0]:
        _have_kubelet_ask(wanted, signer)
    else:
        _restart_kubelet(wanted, signer)
    begun.unlink()


def follow(wanted: Wanted, begun: Path, carry: Carry) -> None:
    """Bring a node that is none of the control plane to other authorities, which control planes have by
    then."""
    recover()
    publish(wanted, while_it_changes(trust.present(wanted), wanted.names))
    bring(wanted, begun, carry, "")
    publish(wanted, trust.present(wanted))


def trust_from_now_on(wanted: Wanted, begun: Path, carry: Carry, config: str) -> None:
    """Have a host that has just become a member trust all authorities, and say so where there are several."""
    if trust.lacking(wanted, begun):
        bring(wanted, begun, carry, config)
    if len(wanted.trusted) > 1:
        publish_soon(wanted)


def _issue(wanted: Wanted, carry: Carry, config: str) -> None:
    """Have kubeadm issue by the first authority what was issued by another one, beside what is there; then
    put each in its place, a key before its certificate: half of it is issued again."""
    due = trust.due(wanted)
    if not due:
        return
    new = trust.KUBERNETES / ".authorities-new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    write(new / "ca.crt", f"{wanted.trusted[0].strip()}\n", 0o644)
    write(new / "ca.key", f"{wanted.key.strip()}\n", 0o600)
    kind = "kind: ClusterConfiguration\n"
    own = config.replace(kind, f"{kind}certificatesDir: {new}\n", 1)
    for name in due:
        if name in trust.LEAVES:
            carry(("kubeadm", "init", "phase", "certs", name, "--config=/dev/stdin"), own)
            for ending, mode in (("key", 0o600), ("crt", 0o644)):
                write(trust.pki(f"{name}.{ending}"), (new / f"{name}.{ending}").read_text(), mode)
        else:
            phase = ("kubeadm", "init", "phase", "kubeconfig", name)
            carry((*phase, f"--kubeconfig-dir={new}", "--config=/dev/stdin"), own)
            text = (new / f"{name}.conf").read_text()
            if name == "kubelet":
                _give_kubelet(trust.decoded(trust.CLIENT, text) + trust.decoded(trust.KEY, text))
            else:
                write(trust.kubeconfig(name), _trusting_in(text, wanted), 0o600)
    shutil.rmtree(new)


def _trusting_in(text: str, wanted: Wanted) -> str:
    data = base64.b64encode(wanted.bundle.encode()).decode()
    changed: str = trust.AUTHORITY.sub(lambda found: f"{found[1]}{data}", text)
    return changed


def _trust_in_kubeconfigs(wanted: Wanted) -> None:
    for name in (*trust.KUBECONFIGS, "kubelet"):
        path = trust.kubeconfig(name)
        text = trust.text_of(path)
        if trust.AUTHORITY.search(text) and names_in(text) != wanted.names:
            write(path, _trusting_in(text, wanted), 0o600)


def names_in(text: str) -> list[str]:
    """Names of the authorities that a kubeconfig has in it."""
    found: list[str] = trust.names(trust.decoded(trust.AUTHORITY, text, 2))
    return found


def _give_kubelet(pem: str) -> None:
    """Put a certificate with its key where kubelet has its own; kubelet itself wants a link there."""
    digest = hashlib.sha256(pem.encode()).hexdigest()[: trust.NAMED]
    dated = trust.KUBELET / f"kubelet-client-{digest}.pem"
    write(dated, pem, 0o600)
    _link(dated)


def _link(dated: Path) -> None:
    new = trust.current().with_suffix(".new")
    new.unlink(missing_ok=True)
    new.symlink_to(dated.name)
    new.replace(trust.current())


def _have_kubelet_ask(wanted: Wanted, signer: list[bytes]) -> None:
    """Have kubelet ask the cluster for a certificate, by the one that it has, as it would for its first.

    Its key is made here and never leaves. Where it gets none, it goes on by the one that it has.
    """
    bootstrap = trust.KUBERNETES / "bootstrap-kubelet.conf"
    recover()
    if not trust.current().exists():
        raise AuthoritiesError(f"kubelet has no certificate in {trust.KUBELET} to ask for another one by")
    old = trust.current().resolve()
    write(bootstrap, _asking(trust.text_of(trust.kubeconfig("kubelet")), old, wanted), 0o600)
    trust.current().unlink(missing_ok=True)
    try:
        _restart_kubelet(wanted, signer)
    except AuthoritiesError:
        _link(old)
        run("systemctl", "restart", "kubelet.service")
        raise
    finally:
        bootstrap.unlink(missing_ok=True)


def recover() -> None:
    """Give kubelet the certificate back that it had, where a run was killed while it was asking for
    another."""
    dated = [path for path in trust.KUBELET.glob("kubelet-client-*.pem") if not path.is_symlink()]
    if dated and not trust.current().exists():
        _link(max(dated, key=lambda path: path.stat().st_mtime))


def _asking(kubeconfig: str, old: Path, wanted: Wanted) -> str:
    """The kubeconfig by which kubelet asks for its first certificate."""
    server = endpoint.server_in(kubeconfig)
    if not server:
        raise AuthoritiesError(f"{trust.kubeconfig('kubelet')} names no API server")
    data = base64.b64encode(wanted.bundle.encode()).decode()
    files = {"client-certificate": str(old), "client-key": str(old)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": "u", "user": files}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return json.dumps(document)


def _restart_kubelet(wanted: Wanted, signer: list[bytes]) -> None:
    """Start kubelet anew, and see that it shows what it is to, and that it says so itself that it lives."""

    def lacking() -> list[str]:
        shows = trust.issued_by(trust.text_of(trust.current()), signer)
        return [] if shows == wanted.names[0] else [f"kubelet has no certificate of {wanted.names[0]} yet"]

    try:
        kubelet.restart(wanted.node, lacking)
    except KubeletError as error:
        raise AuthoritiesError(str(error)) from None


# -- What the cluster says of its authorities


def announce(wanted: Wanted) -> None:
    """Have those that join learn of the authorities (`kube-public/cluster-info`), and servers that check
    clients of the cluster forget what is none any more. Raises AuthoritiesError."""
    try:
        text = objects.config_map("kube-public", "cluster-info")["kubeconfig"]
        if names_in(text) != wanted.names:
            objects.patch("kube-public", "cluster-info", {"kubeconfig": _trusting_in(text, wanted)})
        known = objects.config_map("kube-system", "extension-apiserver-authentication")
        # API servers add to it what they know, and take nothing out.
        if set(trust.names(known.get("client-ca-file", ""))) - set(wanted.names):
            changed = {"client-ca-file": wanted.bundle}
            objects.patch("kube-system", "extension-apiserver-authentication", changed)
    except ObjectsError as error:
        raise AuthoritiesError(str(error)) from None
