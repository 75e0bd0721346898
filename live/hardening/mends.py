"""How settings are brought about that several sections look at, in words."""

from __future__ import annotations


def in_manifest(program: str, wanted: str) -> str:
    """How a flag of a program of the control plane is brought about."""
    return (
        f"on each control-plane host, in /etc/kubernetes/manifests/{program}.yaml: {wanted}; a change of the "
        "control plane by `up` writes that file anew, for no key of the declaration sets it yet"
    )


def declared(setting: str) -> str:
    """How a setting of kubelet's is brought about."""
    return (
        f"declare it and run `pulumi up`: `hostProfiles.NAME.kubelet` with {{{setting}}}, and that `profile` "
        "on the nodes"
    )
