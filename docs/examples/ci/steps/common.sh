# shellcheck shell=bash
# Sourced by the other steps: the project's programs on PATH, what a step needs, and how it ends.

root=$(git rev-parse --show-toplevel)
cd "$root" || exit

# All that steps leave behind; git ignores it, so what is gated is the commit and nothing else.
readonly RESULTS=results

# activate: the project's programs on PATH. Backend and secrets are those that the pipeline has set.
activate() {
    local exports
    exports=$(make --silent env)
    eval "$exports"
}

# require NAME...: end with 3 (a credential is missing) unless all these variables have values.
require() {
    local name
    for name; do
        if [[ -z ${!name-} ]]; then
            echo "$name is not set. Give it to this job's environment; docs/guides/gate-in-ci.md says where." >&2
            finish 3
        fi
    done
}

# report_options NAME: sets REPORT_OPTIONS to ask for every report, as files called NAME.
report_options() {
    rm -rf "$RESULTS/reports"
    mkdir -p "$RESULTS/reports"
    local format
    REPORT_OPTIONS=(--report terminal=-)
    for format in markdown=md json=json sarif=sarif junit=xml; do
        REPORT_OPTIONS+=(--report "${format%=*}=$RESULTS/reports/$1.${format#*=}")
    done
    # A picture shows one stack.
    REPORT_OPTIONS+=(--report "svg=$RESULTS/reports/$1-{stack}.svg")
}

# finish CODE [REPORT]: show the report where the pipeline has a page for it, say what the code asks for, end.
finish() {
    local code=$1 words
    if [[ -n ${GITHUB_STEP_SUMMARY-} && -f ${2-} ]]; then cat "$2" >>"$GITHUB_STEP_SUMMARY"; fi
    case $code in
    0) exit 0 ;;
    3) words="a credential is missing or refused: look at the secrets of this job's environment" ;;
    5) words="a rule failed: mend what the report names, or waive it in a reviewed file" ;;
    7) words="something changes, or has drifted, where nothing should" ;;
    10) words="a destructive change needs approval: a line 'Crossmesh-Approve: PATTERN' in a commit's message" ;;
    11) words="something could not be looked at; the report says what and why" ;;
    12) words="the sealed plan is for something else than is there now: run the whole pipeline again" ;;
    13) words="another run holds the stack: run this job again when that one has ended" ;;
    *) words="the log above says what, where and why" ;;
    esac
    if [[ -n ${GITHUB_ACTIONS-} ]]; then
        echo "::error title=crossmesh ended with exit code $code::$words"
    else
        echo "crossmesh ended with exit code $code: $words" >&2
    fi
    exit "$code"
}
