"""The policy pack that `pulumi --policy-pack policies` runs."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The engine starts a pack by its directory, from which the project's packages cannot be seen.
sys.path.insert(0, str(ROOT))

from pulumi_policy import PolicyPack  # noqa: E402

from policies.pack import NAME, POLICIES, waived  # noqa: E402
from policies.waivers import read  # noqa: E402


def main() -> None:
    """Serve the pack. Ends with their problems if waivers are not valid."""
    waivers, problems = read(ROOT / "policies" / "waivers.yaml", ROOT)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    PolicyPack(NAME, [waived(policy, waivers, date.today()) for policy in POLICIES])


main()
