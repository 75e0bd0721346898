"""``python -m lab.images [--out DIR] [BUNDLE…]``: build bundles and print their paths."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.errors import LabError
from lab.images.base import BaseLayer, architecture
from lab.images.bundles import BUNDLES, build, cached
from toolchain import ToolchainError


def main(arguments: list[str] | None = None) -> int:
    """Build the bundles that are named, or all; print one path a line. 0, or 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m lab.images", description="Build bundles of images.")
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help=f"one of: {', '.join(BUNDLES)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="put them there (default: the cache)")
    parser.add_argument("--refresh", action="store_true", help="take the newest Debian packages")
    options = parser.parse_args(arguments)
    try:
        if options.refresh:
            BaseLayer(architecture()).refresh()
        for bundle in options.bundles or BUNDLES:
            print(build(bundle, options.out) if options.out else cached(bundle), flush=True)
    except (LabError, ToolchainError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
