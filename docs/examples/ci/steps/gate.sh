#!/usr/bin/env bash
# Gates stacks: `gate.sh [OPTION OF crossmesh gate]...`. Leaves its reports in results/reports.
#
# STACKS   names of stacks, with spaces between them
# SINCE    optional: a commit. A line `Crossmesh-Approve: PATTERN` in the message of a later commit approves
#          the destructive changes that PATTERN means.
# APPROVE  optional: more patterns, with spaces between them
set -euo pipefail
. "$(dirname "$0")/common.sh"

approvals() {
    printf '%s\n' "${APPROVE-}"
    if [[ -z ${SINCE-} ]]; then return; fi
    if ! git merge-base --is-ancestor "$SINCE" HEAD; then
        echo "No approvals are read from commit messages: $SINCE is no earlier commit of this checkout." >&2
        return
    fi
    git log --format=%B "$SINCE..HEAD" | tr -d '\r' | sed -n 's/^Crossmesh-Approve://p'
}

options=()
for stack in $STACKS; do options+=("--stack=$stack"); done
patterns=$(approvals)
# Not by word splitting: it would take patterns for names of files.
read -r -d '' -a patterns <<<"$patterns" || true
for pattern in "${patterns[@]}"; do options+=("--approve=$pattern"); done

activate
report_options gate
code=0
crossmesh gate "${options[@]}" "${REPORT_OPTIONS[@]}" "$@" || code=$?
finish "$code" "$RESULTS/reports/gate.md"
