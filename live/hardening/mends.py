"""How settings are brought about that several sections look at, in words."""

from __future__ import annotations


def in_manifest(program: str, wanted: str) -> str:
    """How a flag of a program of the control plane is brought about."""
    return (
        f"on each control-plane host, in /etc/kubernetes/manifests/{program}.yaml: {wanted}; a change of the "
        "control plane by `up` writes that file anew, for no key of the declaration sets it yet"
    )


def by_up(*keys: str) -> str:
    """How what the role `control_plane` sets is brought about. keys: of the declaration, of a cluster."""
    declared = (
        f", where the region's `cluster` has {' and '.join(f'`{key}`' for key in keys)}" if keys else ""
    )
    return f"run `pulumi up --refresh`: it is set by default{declared}"


def declared(setting: str) -> str:
    """How a setting of kubelet's is brought about."""
    return (
        f"declare it and run `pulumi up`: `hostProfiles.NAME.kubelet` with {{{setting}}}, and that `profile` "
        "on the nodes"
    )
