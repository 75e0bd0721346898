"""Entry point of `crossmesh` and of `python -m operations`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. What it stands on takes a moment to load, and may be interrupted as well."""
    try:
        from operations.cli import crossmesh

        crossmesh(prog_name="crossmesh")
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted.\n")
        # `ExitCode.CANCELLED`: it may be what was being loaded.
        sys.exit(8)


if __name__ == "__main__":
    main()
