"""All runbooks, in the order in which they are listed."""

from __future__ import annotations

from typing import Any

from report.errors import ConfigurationError
from runbooks.apply import APPLY
from runbooks.certificates.renew import RENEW
from runbooks.etcd.anew import ANEW
from runbooks.etcd.backup import BACKUP
from runbooks.etcd.member import MEMBER
from runbooks.etcd.rebuild import REBUILD
from runbooks.etcd.restore import RESTORE
from runbooks.model import Runbook
from runbooks.nodes.dead import CLEAR
from runbooks.nodes.drain import DRAIN, RETURN
from runbooks.regions.evacuation import EVACUATE
from runbooks.regions.returning import RETURN_REGION
from runbooks.rotation.authority import ROTATE_AUTHORITY
from runbooks.rotation.encryption_key import ROTATE_KEY

RUNBOOKS: tuple[Runbook[Any], ...] = (
    APPLY,
    DRAIN,
    RETURN,
    CLEAR,
    EVACUATE,
    RETURN_REGION,
    MEMBER,
    BACKUP,
    RESTORE,
    REBUILD,
    ANEW,
    RENEW,
    ROTATE_KEY,
    ROTATE_AUTHORITY,
)


def runbook(name: str) -> Runbook[Any]:
    """One of them. Raises ConfigurationError for an unknown name, with those that there are."""
    for one in RUNBOOKS:
        if one.name == name:
            return one
    raise ConfigurationError(
        f"there is no runbook {name}", fix=f"there are {', '.join(one.name for one in RUNBOOKS)}"
    )
