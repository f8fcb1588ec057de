#!/usr/bin/env bash
# The dashboard's page against the running pipeline: `make test-page`.
#
# A cluster of its own (three brokers, Firestore's emulator where there is one), analytics and the dashboard:
#   1. 20,000 events, until all is in the store: what the page shows equals the documents, read from the store itself.
#   2. One more session: it shows on the page within two seconds of its events.
#   3. A stream of events: each view equals the API's answers, by keyboard, with axe, in light, dark and on a phone.
#   4. 200 viewers' streams: how late updates are, and how many documents are read.
#
#   BIN          where this workspace's programs are (target/debug)
#   SCREENSHOTS  where pictures of the views go (target/dashboard-screenshots)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=$(realpath "${BIN:-target/debug}")
export SCREENSHOTS=${SCREENSHOTS:-$PWD/target/dashboard-screenshots}
work=$PWD/target/test-page
export STOREPULSE_LOCAL_DIR=$work/cluster

say() { printf 'test-page: %s\n' "$*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}
[ -x "$bin/storepulse-dashboard" ] || fail "$bin/storepulse-dashboard is not built: make test-page builds it"

rm -rf "$work" && mkdir -p "$work" "$SCREENSHOTS"
pids=()
finish() {
    local status=$?
    set +e
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    "$bin/storepulse-local" down >/dev/null 2>&1
    [ "$status" -eq 0 ] || say "logs are in $work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# as PRINCIPAL NAME [ARGUMENTS…]: a program with what a principal needs, in place of this shell.
as() {
    local principal=$1 name=$2
    shift 2
    set -a
    # shellcheck disable=SC1090 # written by storepulse-local
    . "$STOREPULSE_LOCAL_DIR/$principal.env"
    set +a
    exec "$bin/storepulse-$name" "$@"
}
# The same in the background, its log in a file.
start() {
    (as "$@") >"$work/$2.log" 2>&1 &
    pids+=($!)
}
# A variable of a principal.
setting() { (
    # shellcheck disable=SC1090
    . "$STOREPULSE_LOCAL_DIR/$1.env"
    printf '%s' "${!2-}"
); }
# Waits until a command succeeds.
until_ready() {
    local what=$1 deadline=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what: not within 60 s"
        sleep 0.2
    done
}
simulate() {
    (as simulator simulator "$@") >>"$work/simulator.log" 2>&1 || fail "the simulator failed: $(tail -n 5 "$work/simulator.log")"
}
audit() {
    (as auditor analytics audit) >"$work/audit.log" 2>&1 || fail "the audit failed: $(tail -n 20 "$work/audit.log")"
}

say "a cluster of its own"
"$bin/storepulse-local" up >"$work/up.log" 2>&1 || fail "the cluster did not come up: $(tail -n 20 "$work/up.log")"
start analytics analytics run
until_ready analytics curl -fsS "http://$(setting analytics HTTP_ADDRESS)/readyz"
start dashboard dashboard run
DASHBOARD_URL=http://$(setting dashboard DASHBOARD_ADDRESS)
export DASHBOARD_URL
until_ready "the dashboard" curl -fsS "http://$(setting dashboard HTTP_ADDRESS)/readyz"
curl -fsS "$DASHBOARD_URL/" | grep -q '<script' || fail "the dashboard was built without its page"
say "the dashboard is at $DASHBOARD_URL"

say "20,000 events, audited"
simulate --events 20000 --rate 4000 --seed 11 --duplicates 0.02 --late 0.02 --malformed 0.005
audit

# The documents as anybody reads them, for the page to be compared with.
STORE_REST=''
if [ "$(setting dashboard STORE)" = firestore ]; then
    STORE_REST=http://$(setting dashboard FIRESTORE_EMULATOR_HOST)/v1/projects/$(setting dashboard GCLOUD_PROJECT)/databases/\(default\)/documents
fi
export STORE_REST
# A session that is told as soon as it is over, and how to make one: the test runs this.
cat >"$work/one-session" <<SCRIPT
#!/usr/bin/env bash
set -eu
set -a; . '$STOREPULSE_LOCAL_DIR/simulator.env'; set +a
exec '$bin/storepulse-simulator' --events 40 --rate 1000 --sessions 1 --seed "\$1"
SCRIPT
chmod +x "$work/one-session"
export PRODUCE=$work/one-session

say "the page against the documents"
STAGE=documents scripts/web.sh test-live || fail "the page does not say what the documents say"

say "the page while events stream"
start simulator simulator --rate 300 --seed 12 --malformed 0.002
STAGE=stream scripts/web.sh test-live || fail "the page fails while events stream"

say "200 viewers"
"$bin/storepulse-dashboard-load" --dashboard "$(setting dashboard DASHBOARD_ADDRESS)" \
    --metrics "$(setting dashboard HTTP_ADDRESS)" --streams 200 --seconds 20 || fail "200 viewers can't be served"
say "passed; pictures are in ${SCREENSHOTS#"$PWD"/}"
