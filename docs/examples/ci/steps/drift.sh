#!/usr/bin/env bash
# Compares what there is with what was applied of the stack STACK. Leaves its reports in results/reports.
set -euo pipefail
. "$(dirname "$0")/common.sh"

require PULUMI_BACKEND_URL
activate
report_options drift
code=0
# Strict: a night in which nothing could be reached must not look like one without drift.
crossmesh drift --stack "$STACK" --strict "${REPORT_OPTIONS[@]}" || code=$?
finish "$code" "$RESULTS/reports/drift.md"
