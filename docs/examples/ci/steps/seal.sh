#!/usr/bin/env bash
# Gates one stack against its state and seals the plan as PLAN. Variables as for gate.sh, STACKS with one name.
#
# The plan's SHA-256 is the step's output `sha256` (GitHub) and PLAN_SHA256 in results/sealed.env (GitLab).
set -euo pipefail
. "$(dirname "$0")/common.sh"

require PULUMI_BACKEND_URL
mkdir -p "$(dirname "$PLAN")"
docs/examples/ci/steps/gate.sh --seal "$PLAN"
digest=$(sha256sum "$PLAN")
digest=${digest%% *}
echo "PLAN_SHA256=$digest" >"$RESULTS/sealed.env"
if [[ -n ${GITHUB_OUTPUT-} ]]; then echo "sha256=$digest" >>"$GITHUB_OUTPUT"; fi
