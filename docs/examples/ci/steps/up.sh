#!/usr/bin/env bash
# Applies a sealed plan; refuses if anything that it is bound to has changed since. Leaves its reports in
# results/reports.
#
# STACK        name of the stack
# PLAN         file of the plan
# PLAN_SHA256  what seal.sh said of it. The file has gone through the forge's store; the digest has not.
set -euo pipefail
. "$(dirname "$0")/common.sh"

require PULUMI_BACKEND_URL PLAN_SHA256
activate
report_options up
code=0
# Who may apply it was asked before this job began.
crossmesh up --stack "$STACK" --plan "$PLAN" --sha256 "$PLAN_SHA256" --yes "${REPORT_OPTIONS[@]}" || code=$?
finish "$code" "$RESULTS/reports/up.md"
