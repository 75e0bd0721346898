"""The command `python -m releases`. Its name is all that is here: what it does stands on the whole house."""

from __future__ import annotations

from upkeep.command import main

if __name__ == "__main__":
    main()
