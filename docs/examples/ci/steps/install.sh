#!/usr/bin/env bash
# Installs the pinned programs and packages. Instant when the cache has them.
#
# TOOLCHAIN_ARCHIVE  optional: a tar file to take them from, and to put them into when it is not there. For
#                    pipelines whose caches hold files of the checkout only, or lose fractions of a second of
#                    the files' times, by which the toolchain tells that they are as they were.
set -euo pipefail
. "$(dirname "$0")/common.sh"

store=${XDG_CACHE_HOME:-$HOME/.cache}
if [[ -f ${TOOLCHAIN_ARCHIVE-} ]]; then
    mkdir -p "$store"
    tar --extract --file "$TOOLCHAIN_ARCHIVE" --directory "$store"
fi
make toolchain
if [[ -n ${TOOLCHAIN_ARCHIVE-} && ! -f $TOOLCHAIN_ARCHIVE ]]; then
    mkdir -p "$(dirname "$TOOLCHAIN_ARCHIVE")"
    # Under its name only when it is whole.
    tar --create --format=posix --file "$TOOLCHAIN_ARCHIVE.new" --directory "$store" \
        crossmesh/toolchain crossmesh/venv
    mv "$TOOLCHAIN_ARCHIVE.new" "$TOOLCHAIN_ARCHIVE"
fi
