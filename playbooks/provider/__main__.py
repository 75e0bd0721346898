"""`python -m playbooks.provider ENGINE_ADDRESS`, as the executable `pulumi-resource-crossmesh` calls it."""

from __future__ import annotations

import sys

from playbooks.provider.server import main

main(sys.argv[1:])
