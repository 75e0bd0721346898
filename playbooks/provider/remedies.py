"""How to mend what a play failed over, by what was said of it: what may stand behind any task of any role."""

from __future__ import annotations

import re

from access import webhooks
from playbooks.provider.run.events import LOST

_AGAIN = "run again: the phase starts over and takes what is done as done"
_FULL = re.compile(r"no space left on device|enough free space|disk quota exceeded", re.IGNORECASE)


def remedy(host: str, message: str) -> str:
    """What to do next; of a failure that nothing special is known of, to mend it and run again.

    message: the failure's, with the words of the program that failed.
    """
    if LOST in message:
        return (
            f"see that {host} runs and that this machine reaches it (`crossmesh preflight --host {host}`), "
            f"then {_AGAIN}. What was at work there ends by itself within half a minute"
        )
    if _FULL.search(message):
        return f"a disk of {host} is full: `df -h` there says which; make room, then {_AGAIN}"
    return webhooks.remedy(message) or f"mend the cause and {_AGAIN}"
