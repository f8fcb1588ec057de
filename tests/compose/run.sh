#!/usr/bin/env bash
# The stack of docker-compose.yml and docker-compose.dev.yml, brought up for real and mistreated: `make test-compose`.
#
#   tests/compose/run.sh [all|bad-input|stack|compiled]
#
# It works on a copy of the repository, as a user would have it, with binaries that were built before (BIN). Needs Docker
# and Compose; as root it starts a Docker daemon where none runs. Images that can't be pulled are replaced by those of
# tests/compose/stand-ins. With KEEP=1 the stack is left running, and the next run goes on with it. `compiled` builds the image from source instead, which takes long.
set -eo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
what=${1:-all}
bin=$(cd "${BIN:-target/debug}" && pwd) || exit 2
work=${STOREPULSE_TEST_DIR:-$root/target/test-compose}
clone=$work/clone
cache=${XDG_CACHE_HOME:-$HOME/.cache}/storepulse/compose
stand_ins=$root/tests/compose/stand-ins
jars=$root/.cache/kafka-4.3.1/libs
emulator=${FIRESTORE_EMULATOR_JAR:-/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar}

say() { printf '[compose %4d s] %s\n' "$SECONDS" "$*" >&2; }
passed=0
ok() {
    passed=$((passed + 1))
    say "ok      $*"
}
fail() {
    say "FAILED  $*"
    exit 1
}

# --- Parts -----------------------------------------------------------------------------------------------------------

started_daemon=''
need_parts() {
    local missing=''
    command -v dockerd >/dev/null || docker info >/dev/null 2>&1 || missing="$missing docker.io"
    command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || missing="$missing docker-compose"
    command -v debootstrap >/dev/null || missing="$missing debootstrap"
    [ -z "$missing" ] || fail "these are missing, and the test needs them: apt-get install$missing iptables"
    [ -f "$emulator" ] || fail "there is no Firestore emulator at $emulator: install the package google-cloud-cli-firestore-emulator, or set FIRESTORE_EMULATOR_JAR"
    for program in pki local analytics simulator dashboard deploy kafka-admin attacker; do
        [ -x "$bin/storepulse-$program" ] || fail "$bin/storepulse-$program is missing: build first (make test-compose does)"
    done
    if ! docker info >/dev/null 2>&1; then
        [ "$(id -u)" -eq 0 ] || fail "Docker does not run, and only root could start it"
        say "starting a Docker daemon"
        setsid dockerd >"$work/dockerd.log" 2>&1 </dev/null &
        started_daemon=$!
        for _ in $(seq 60); do
            docker info >/dev/null 2>&1 && break
            sleep 0.5
        done
        docker info >/dev/null 2>&1 || fail "the Docker daemon does not start: $(tail -n 3 "$work/dockerd.log")"
    fi
}

# The client that can build with BuildKit.
builder=docker
find_builder() {
    while read -r program; do
        version=$("$program" version --format '{{.Client.Version}}' 2>/dev/null </dev/null) || continue
        if [ "${version%%.*}" -lt 23 ] || "$program" buildx version >/dev/null 2>&1 </dev/null; then
            builder=$program
            return
        fi
    done < <(hash -r; type -aP docker)
    fail "no docker in PATH can build with BuildKit"
}

# stand_in NAME CONTEXT [BUILD ARGUMENTS]: an image made once for each version of what it is made from.
stand_in() {
    local name=$1 context=$2
    shift 2
    local digest files=("$stand_ins/$name.Dockerfile" "$stand_ins/$name.sh")
    case $name in
    rust) files+=("$clone/Cargo.lock") ;;
    node) files+=("$clone/services/dashboard/web/package-lock.json") ;;
    esac
    digest=$(cat "${files[@]}" 2>/dev/null | sha256sum | cut -c 1-12)
    local image=storepulse-stand-in/$name:$digest
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        say "building the stand-in $name"
        DOCKER_BUILDKIT=1 "$builder" build -q -f "$stand_ins/$name.Dockerfile" -t "$image" "$@" "$context" >/dev/null ||
            fail "the stand-in $name could not be built"
    fi
    printf '%s' "$image"
}

debian=storepulse-stand-in/debian:bookworm
make_stand_ins() {
    mkdir -p "$cache" "$work/context"
    if ! docker image inspect "$debian" >/dev/null 2>&1; then
        if [ ! -f "$cache/debian.tar" ]; then
            say "debootstrap of Debian 12"
            rm -rf "$work/rootfs"
            debootstrap --variant=minbase --include=ca-certificates bookworm "$work/rootfs" \
                "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 ||
                fail "debootstrap failed: $(tail -n 2 "$work/debootstrap.log")"
            rm -rf "$work/rootfs"/var/cache/apt/archives/*.deb
            tar -C "$work/rootfs" --numeric-owner -cf "$cache/debian.tar.new" . && mv "$cache/debian.tar.new" "$cache/debian.tar"
            rm -rf "$work/rootfs"
        fi
        docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            "$cache/debian.tar" "$debian" >/dev/null
    fi
    [ -f "$jars/.complete" ] || scripts/fetch-kafka.sh
    # Contexts are small directories of hard links: a build sends all of its context.
    rm -rf "$work/context"
    mkdir -p "$work/context/kafka" "$work/context/firebase" "$work/context/none"
    cp -r "$jars" "$work/context/kafka/libs"
    cp "$emulator" "$stand_ins/firebase.sh" "$work/context/firebase/"
    cp "$stand_ins/kafka-ui.sh" "$work/context/none/"
    KAFKA_IMAGE=$(stand_in kafka "$work/context/kafka" --build-arg BASE="$debian")
    FIREBASE_IMAGE=$(stand_in firebase "$work/context/firebase" --build-arg BASE="$debian")
    KAFKA_UI_IMAGE=$(stand_in kafka-ui "$work/context/none" --build-arg KAFKA="$KAFKA_IMAGE")
    PROMETHEUS_IMAGE=$(stand_in prometheus "$work/context/none" --build-arg BASE="$debian")
    export KAFKA_IMAGE FIREBASE_IMAGE KAFKA_UI_IMAGE PROMETHEUS_IMAGE
}

# A copy of the repository as it would be committed, with certificates and passwords of its own.
make_clone() {
    [ -n "${KEEP:-}" ] || rm -rf "$clone"
    mkdir -p "$clone"
    git ls-files -z --cached --others --exclude-standard | tar --null -T - -c 2>/dev/null | tar -x -C "$clone"
    compose/image/collect.sh "$bin" "$clone/dist"
    (cd "$clone" && "$bin/storepulse-pki" init >"$work/pki.log")
}

# What the copy's user has in their environment. Ports of its own, so that a stack that runs is left alone.
export STOREPULSE_PROJECT=storepulse-test BINARIES=prebuilt RUST_IMAGE=$debian
export KAFKA_UI_PORT=18888 FIREBASE_UI_PORT=14000 FIRESTORE_PORT=18380 FIRESTORE_WEBSOCKET_PORT=19150 PROMETHEUS_PORT=19390
export DASHBOARD_PORT=18890
export SIMULATOR_RATE=400 SIMULATOR_DUPLICATES=0.01 SIMULATOR_MALFORMED=0.005
export HOME=${HOME:-/root}
# Where scripts/compose.sh looks for storepulse-local.
mkdir -p "$work/programs"
ln -sfn "$bin" "$work/programs/release"
export CARGO_TARGET_DIR=$work/programs
unset PROFILE MODE STOREPULSE_BIND STOREPULSE_UID STOREPULSE_REGISTRY GOOGLE_APPLICATION_CREDENTIALS GCLOUD_PROJECT

stack() { (cd "$clone" && scripts/compose.sh "$@"); }
quietly() { stack "$@" >"$work/last.log" 2>&1 || fail "\`compose.sh $*\` exits $?: $(tail -n 12 "$work/last.log")"; }
project=$STOREPULSE_PROJECT-dev
container() {
    docker ps -aq --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" \
        --filter label=com.docker.compose.oneoff=False | head -n "${2:-1}" | tail -n 1
}
# Those that run, whichever they are.
ids() { docker ps -q --no-trunc --filter "label=com.docker.compose.project=$project" | sort; }
health() { docker inspect --format '{{.State.Health.Status}}' "$(container "$1")"; }
await_health() {
    local until=$((SECONDS + ${2:-90}))
    while [ "$(health "$1" 2>/dev/null)" != healthy ]; do
        [ "$SECONDS" -lt "$until" ] || fail "$1 is not healthy within ${2:-90} s: $(docker logs --tail 5 "$(container "$1")" 2>&1)"
        sleep 0.5
    done
}

clean_up() {
    local status=$?
    if [ "$status" -ne 0 ] && [ -d "$clone" ]; then
        mkdir -p "$work/failure"
        for id in $(docker ps -aq --filter "label=com.docker.compose.project=$project"); do
            docker logs "$id" >"$work/failure/$(docker inspect --format '{{.Name}}' "$id" | tr -d /).log" 2>&1 || :
        done
        say "the containers' logs are in $work/failure"
    fi
    if [ -n "${KEEP:-}" ]; then
        say "KEEP is set: the stack is left running, in $clone"
    elif [ -d "$clone" ]; then
        MODE=dev DELETE_DATA=yes stack down >/dev/null 2>&1 || :
    fi
    if [ -n "$started_daemon" ] && [ -z "${KEEP:-}" ]; then
        kill "$started_daemon" 2>/dev/null || :
        # The next run must not take a daemon that is about to end for one that runs.
        wait "$started_daemon" 2>/dev/null || :
    fi
    exit "$status"
}

# --- Bad input ---------------------------------------------------------------------------------------------------------

# refused STATUS PATTERN WHAT -- COMMAND…: exits so, and says so in the last line.
refused() {
    local status=$1 pattern=$2 name=$3 found=0 output
    shift 4
    output=$(cd "$clone" && "$@" 2>&1 </dev/null) || found=$?
    [ "$found" -eq "$status" ] || fail "$name: exit code $found instead of $status: $output"
    printf '%s\n' "$output" | tail -n 1 | grep -qE "$pattern" || fail "$name: the last line does not say \"$pattern\": $output"
    [ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$project")$(docker ps -aq --filter "label=com.docker.compose.project=$STOREPULSE_PROJECT")" ] ||
        fail "$name: left containers behind"
    ok "$name: $(printf '%s\n' "$output" | tail -n 1)"
}

bad_input() {
    local fake=$work/fake up=(scripts/compose.sh up dev)
    rm -rf "$fake"
    mkdir -p "$fake/none" "$fake/old" "$fake/small"
    # A PATH with all but Docker.
    for program in bash env git sed awk grep tail head sort cat dirname mktemp id ss; do
        ln -s "$(command -v "$program")" "$fake/none/$program"
    done
    refused 1 'Docker is not installed: .*make run' "no Docker" -- env PATH="$fake/none" bash "${up[@]}"
    refused 1 'Docker does not answer .*(systemctl start docker|DOCKER_HOST)' "a daemon that does not run" -- \
        env DOCKER_HOST=unix:///nowhere.sock "${up[@]}"
    printf '#!/bin/sh\necho 1.25.0\n' >"$fake/old/docker-compose"
    chmod +x "$fake/old/docker-compose"
    refused 1 'version 1\.25\.0: 1\.29 or newer' "an old Compose" -- \
        env PATH="$fake/old:$PATH" STOREPULSE_COMPOSE=docker-compose "${up[@]}"
    printf '#!/bin/sh\ncase "$*" in *MemTotal*) echo 2147483648 ;; *) exec %s "$@" ;; esac\n' "$(command -v docker)" >"$fake/small/docker"
    chmod +x "$fake/small/docker"
    refused 1 'Docker has 2048 MiB of memory, and the stack needs' "too little memory" -- env PATH="$fake/small:$PATH" "${up[@]}"
    refused 1 'no key for a real Firestore: .*secret/serviceAccountKey\.json.*make compose-dev-up' "no key" -- \
        env HOME="$fake" scripts/compose.sh up full
    mkdir -p "$clone/secret"
    echo 'not a key' >"$clone/secret/serviceAccountKey.json"
    refused 1 'secret/serviceAccountKey\.json is not JSON .*Cloud Datastore User' "a key that is none" -- scripts/compose.sh up full
    rm "$clone/secret/serviceAccountKey.json"
    python3 -c '
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(600)' "$KAFKA_UI_PORT" &
    local listener=$!
    sleep 1
    refused 1 "port $KAFKA_UI_PORT, which kafka-ui .* is in use.*KAFKA_UI_PORT=" "a port in use" -- "${up[@]}"
    kill "$listener"
    wait "$listener" 2>/dev/null || :
    refused 1 'STOREPULSE_BIND is 0\.0\.0\.0, so others can reach the dashboard.*secret/dashboard\.token' "a dashboard for everybody" -- \
        env STOREPULSE_BIND=0.0.0.0 "${up[@]}"
    echo 'too short' >"$clone/secret/dashboard.token"
    refused 1 'secret/dashboard\.token is no token.*16' "a token that is none" -- env STOREPULSE_BIND=0.0.0.0 "${up[@]}"
    rm "$clone/secret/dashboard.token"
    refused 1 'kafka:none can.t be pulled .*KAFKA_IMAGE=' "an image that can't be pulled" -- \
        env KAFKA_IMAGE=registry.invalid/kafka:none "${up[@]}"
    refused 2 'MODE is both: allowed is dev .* or full' "another mode" -- env MODE=both scripts/compose.sh status
    refused 1 'no broker of .* runs: start it with .make compose-' "attackers without a stack" -- scripts/compose.sh attack
}

# --- The stack ---------------------------------------------------------------------------------------------------------

# The sum of a metric over all instances of a service.
metric() {
    local service=$1 name=$2 port=$3 id address sum=0
    for id in $(docker ps -q --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service"); do
        address=$(docker inspect --format "{{(index .NetworkSettings.Networks \"${project}_monitoring\").IPAddress}}" "$id")
        sum=$(curl -fsS -m 5 "http://$address:$port/metrics" | awk -v "name=$name" -v "sum=$sum" \
            'index($1, name "{") == 1 || $1 == name { sum += $2 } END { printf "%d", sum }') || return 1
    done
    printf '%s' "$sum"
}
counted() { metric analytics storepulse_analytics_events_aggregated_total 9102; }
produced() { metric simulator storepulse_simulator_events_produced_total 9101; }
await_counted() {
    local least=$1 until=$((SECONDS + ${2:-120})) now=0
    while now=$(counted 2>/dev/null || echo 0) && [ "$now" -lt "$least" ]; do
        [ "$SECONDS" -lt "$until" ] || fail "only $now events are counted within ${2:-120} s, not $least"
        sleep 1
    done
}

audited=0
audit() {
    docker stop -t 20 "$(container simulator)" >/dev/null
    stack audit >"$work/audit.log" 2>"$work/audit.err" || fail "the audit exits $?: $(cat "$work/audit.log" "$work/audit.err" | tail -n 20)"
    grep -qE '^differences +0$' "$work/audit.log" || fail "the audit finds differences: $(cat "$work/audit.log")"
    local before=$audited
    audited=$(sed -n 's/^messages read *\([0-9]*\)$/\1/p' "$work/audit.log")
    [ "$audited" -gt "$before" ] || fail "the audit read $audited messages, and before $before"
    docker start "$(container simulator)" >/dev/null
    if [ -n "$(docker ps -q --filter "id=$(container dashboard)")" ]; then
        await_shown /api/pipeline "a['audit'] and a['audit']['messages'] == $audited and a['audit']['differences'] == 0"
    fi
    ok "audit $1: $audited messages, $(sed -n 's/^documents compared *//p' "$work/audit.log") documents, no difference, as the dashboard shows"
}

kill_hard() {
    # Docker does not restart what it was told to kill; a crash comes from elsewhere.
    kill -9 "$(docker inspect --format '{{.State.Pid}}' "$(container "$1")")"
    say "killed $1"
}

brings_up() {
    nameless_before=$(docker volume ls -q --filter dangling=true | grep -cE '^[0-9a-f]{64}$' || :)
    quietly up dev
    for service in kafka-1 kafka-2 kafka-3 firebase kafka-ui analytics simulator dashboard; do
        [ "$(health "$service")" = healthy ] || fail "$service is $(health "$service")"
    done
    ok "make compose-dev-up: all are healthy"
    curl -fsS -m 5 "http://127.0.0.1:$FIREBASE_UI_PORT/" >/dev/null || fail "nothing answers on $FIREBASE_UI_PORT"
    local seen
    seen=$(curl -fsS -m 5 "http://127.0.0.1:$KAFKA_UI_PORT/") || fail "nothing answers on $KAFKA_UI_PORT"
    for topic in e-commerce-events analytics-deltas analytics-sessions e-commerce-events-dlq; do
        printf '%s' "$seen" | grep -q "Topic: $topic	.*ReplicationFactor: 3" || fail "the viewer does not see $topic: $seen"
    done
    ok "the viewer logs in with Kafka UI's own configuration and sees the topics"
    local before
    before=$(ids)
    quietly up dev
    [ "$(ids)" = "$before" ] || fail "a second compose-dev-up replaced containers"
    ok "a second compose-dev-up replaces nothing"
}

# --- The dashboard -----------------------------------------------------------------------------------------------------

dashboard_url=http://127.0.0.1:$DASHBOARD_PORT
# status_of ARGUMENTS…: of curl; the status of the answer.
status_of() { curl -sS -m 10 -o /dev/null -w '%{http_code}' "$@"; }
# shows PATH EXPRESSION: whether the expression of Python holds for the API's answer `a`.
shows() { curl -fsS -m 10 "${@:3}" "$dashboard_url$1" 2>/dev/null | python3 -c 'import json, sys; a = json.load(sys.stdin); sys.exit(not eval(sys.argv[1]))' "$2" 2>/dev/null; }
await_shown() {
    local until=$((SECONDS + ${3:-30}))
    until shows "$1" "$2"; do
        [ "$SECONDS" -lt "$until" ] || fail "$1 is not as it should be ($2): $(curl -sS -m 10 "$dashboard_url$1" | head -c 2000)"
        sleep 1
    done
}

is_shown() {
    local head script networks published
    head=$(curl -sS -m 10 -D - -o "$work/page.html" "$dashboard_url/")
    printf '%s' "$head" | grep -qE '^HTTP/1\.1 200' && printf '%s' "$head" | grep -qi "^content-security-policy: default-src 'none'" ||
        fail "the page: $head"
    script=$(sed -n 's/.*src="\(\/assets\/[^"]*\.js\)".*/\1/p' "$work/page.html" | head -n 1)
    [ -n "$script" ] || fail "the page has no script: it has to be built before the program. $(head -c 300 "$work/page.html")"
    [ "$(status_of "$dashboard_url$script")" = 200 ] || fail "$script of the page is not there"
    [ "$(status_of -H 'Host: evil.example' "$dashboard_url/api/now")" = 403 ] || fail "the dashboard answers to a foreign name"
    ok "the dashboard's page, at the published port, with its policy"
    await_shown /api/now 'a["today"]["started_sessions_count"] > 0 and a["events_per_second"] > 0'
    await_shown /api/pipeline 'sorted((s["name"], s["ready"]) for s in a["services"]) == [("analytics", True), ("simulator", True)] and a["produced_per_second"] > 0 and a["brokers"]'
    ok "the dashboard shows the shop, and how analytics and the simulator are"
    networks=$(docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$(container dashboard)")
    case $networks in
    *_kafka*) fail "the dashboard is in the brokers' network: $networks" ;;
    esac
    if docker inspect "$(container dashboard)" | grep -qiE 'KAFKA_|client\.key|secret/compose/[a-z]*\.password'; then
        fail "the dashboard has something of Kafka's: $(docker inspect "$(container dashboard)" | grep -iE 'KAFKA_|client\.key|\.password')"
    fi
    published=$(docker port "$(container dashboard)")
    [ "$published" = "8800/tcp -> 127.0.0.1:$DASHBOARD_PORT" ] || fail "the dashboard publishes $published"
    ok "the dashboard has no way to the brokers, none of their papers, and publishes one port"
}

# With a token, everybody may reach it, and has to log in.
asks_for_the_token() {
    local before
    before=$(container dashboard)
    (umask 077 && printf '%s\n' "$(openssl rand -hex 24)" >"$clone/secret/dashboard.token")
    (umask 077 && printf 'Authorization: Bearer %s\n' "$(cat "$clone/secret/dashboard.token")" >"$work/header")
    quietly services-up
    [ "$(container dashboard)" != "$before" ] || fail "the dashboard does not take the token"
    grep -q "dashboard .*:$DASHBOARD_PORT, with the token in secret/dashboard.token" "$work/last.log" || fail "nobody says where the token is: $(cat "$work/last.log")"
    [ "$(status_of "$dashboard_url/api/now")" = 401 ] || fail "the dashboard asks for no token"
    [ "$(status_of -H "@$work/header" "$dashboard_url/api/now")" = 200 ] || fail "the dashboard does not take its token"
    if docker inspect "$(container dashboard)" | grep -qF -f "$clone/secret/dashboard.token"; then fail "the token is in the settings of the dashboard"; fi
    if docker logs "$(container dashboard)" 2>&1 | grep -qF -f "$clone/secret/dashboard.token"; then fail "the token is in the log of the dashboard"; fi
    # Also where Compose is called by hand.
    before=$(container dashboard)
    (cd "$clone" && "${plain_compose[@]}" up -d --no-build dashboard) >"$work/by-hand.log" 2>&1 || fail "$(tail -n 5 "$work/by-hand.log")"
    [ "$(container dashboard)" = "$before" ] || fail "Compose, called by hand, replaces the dashboard that asks for a token"
    rm "$clone/secret/dashboard.token" "$work/header"
    quietly services-up
    [ "$(status_of "$dashboard_url/api/now")" = 200 ] || fail "the dashboard asks for a token that is gone"
    ok "with secret/dashboard.token the dashboard asks for it; without, no longer"
}

is_locked_up() {
    local id name inspected password
    for id in $(docker ps -aq --filter "label=com.docker.compose.project=$project"); do
        name=$(docker inspect --format '{{.Name}}' "$id")
        inspected=$(docker inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}}' "$id")
        printf '%s' "$inspected" | grep -qE '^[1-9][0-9]*:0 true \[ALL\] \[no-new-privileges:true\] false$' || fail "$name is not locked up: $inspected"
        [ "$(docker inspect --format '{{.HostConfig.Memory}}' "$id")" -gt 0 ] || fail "$name has no memory limit"
        if docker port "$id" | grep -v ' -> 127\.0\.0\.1:' | grep -q .; then fail "$name publishes beyond loopback: $(docker port "$id")"; fi
        while read -r password; do
            if docker inspect "$id" | grep -qF -- "$password"; then fail "a password is in the settings of $name"; fi
            if docker logs "$id" 2>&1 | grep -qF -- "$password"; then fail "a password is in the log of $name"; fi
            # shellcheck disable=SC2009 # command lines, not names
            if ps -eo args | grep -F -- "$password" | grep -qv grep; then fail "a password is on a command line"; fi
        done < <(sed -n 's/^KAFKA_.*PASSWORD=//p' "$clone/.env")
    done
    ok "every container: not root, read-only, no capabilities, limited; no password in settings, logs or command lines"
    for service in kafka-1 analytics simulator; do
        [ -z "$(docker port "$(container "$service")")" ] || fail "$service publishes a port"
    done
    ok "brokers and services publish no port"
    local image=storepulse/services:0.1.0
    if docker run --rm --entrypoint /bin/sh "$image" -c true >/dev/null 2>&1; then fail "$image has a shell"; fi
    [ "$(docker image inspect --format '{{.Config.User}}' "$image")" = 65532:65532 ] || fail "$image runs as another user"
    [ "$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' "$image")" = 0.1.0 ] || fail "$image has no label"
    ok "the image has no shell, a numeric user and labels; $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1e6 }')"
    # Out of the network of the brokers, into nowhere.
    local id address
    id=$(container kafka-1)
    address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$id")
    [ "$(printf '%s' "$address" | wc -w)" -eq 1 ] || fail "kafka-1 is in several networks: $address"
    local knock='exec 3<>/dev/tcp/deb.debian.org/80'
    if timeout 15 docker exec "$(container kafka-ui)" bash -c "$knock" 2>/dev/null; then
        if timeout 15 docker exec "$id" bash -c "$knock" 2>/dev/null; then fail "kafka-1 reaches the internet"; fi
        ok "brokers have no way out, where Kafka UI has one"
    else
        say "not shown: that brokers have no way out, because this machine has none either"
    fi
}

is_attacked() {
    stack attack >"$work/attack.log" 2>&1 || fail "the attackers exit $?: $(tail -n 15 "$work/attack.log")"
    grep -qE '^[0-9]+ attacks refused for the right reason, [0-9]+ controls let in' "$work/attack.log" || fail "$(tail -n 5 "$work/attack.log")"
    ok "make attacker-up: $(grep 'attacks refused' "$work/attack.log")"
    local acl=(--user simulator --resource-type topic --resource e-commerce-events --operation read)
    admin acl-create "${acl[@]}"
    local status=0
    stack attack >"$work/attack.log" 2>&1 || status=$?
    if [ "$status" -ne 1 ] || ! grep -q '^HOLE: simulator-reads' "$work/attack.log"; then
        fail "a lock that is open is not found (exit code $status): $(tail -n 5 "$work/attack.log")"
    fi
    admin acl-delete "${acl[@]}"
    ok "a permission too many: $(grep '^HOLE: simulator-reads' "$work/attack.log")"
    # The viewer may look, and no more.
    local id refusal
    id=$(container kafka-ui)
    tool() {
        docker exec "$id" /bin/sh -c 'servers=$(sed -n "s/^bootstrap.servers=//p" /tmp/client.properties)
            exec timeout -k 5 60 java -Xmx128m -cp "/opt/kafka/libs/*" "$0" --bootstrap-server "$servers" "$@"' "$@" 2>&1 || :
    }
    refusal=$(tool org.apache.kafka.tools.TopicCommand --command-config /tmp/client.properties --delete --topic e-commerce-events)
    printf '%s' "$refusal" | grep -q TopicAuthorizationException || fail "the viewer deletes a topic: $refusal"
    refusal=$(tool org.apache.kafka.tools.TopicCommand --command-config /tmp/client.properties --create --topic of-the-viewer)
    printf '%s' "$refusal" | grep -qE 'AuthorizationException|Authorization failed' || fail "the viewer makes a topic: $refusal"
    refusal=$(tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --command-config /tmp/client.properties \
        --group analytics --reset-offsets --to-earliest --topic e-commerce-events --execute)
    printf '%s' "$refusal" | grep -qE 'AuthorizationException|[Nn]ot authorized|only be reset if the group' || fail "the viewer resets offsets: $refusal"
    ok "the viewer deletes no topic, makes none and moves no offsets"
}

admin() {
    (cd "$clone" && "${plain_compose[@]}" run --rm -T kafka-init "$@") >"$work/admin.log" 2>&1 || fail "kafka-admin $*: $(tail -n 3 "$work/admin.log")"
}

survives() {
    local before
    kill_hard kafka-2
    before=$(counted)
    await_counted $((before + 2000))
    await_health kafka-2 120
    kill_hard analytics
    await_health analytics 90
    await_counted 2000
    audit "after a broker and analytics were killed"
    quietly_scale 2
    before=$(produced)
    kill_hard analytics
    sleep 5
    audit "with two instances, one of them killed"
    quietly_scale 1
}

quietly_scale() {
    (cd "$clone" && "${plain_compose[@]}" up -d --no-build --no-recreate --scale "analytics=$1" analytics) >"$work/scale.log" 2>&1 ||
        fail "scaling to $1: $(tail -n 5 "$work/scale.log")"
    await_health analytics 90
}

restarts() {
    local analytics
    analytics=$(container analytics)
    docker stop -t 20 "$analytics" >/dev/null
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$analytics")" = 0 ] || fail "analytics does not end with 0 on SIGTERM"
    quietly down
    [ -z "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ] || fail "down leaves containers behind"
    # The stand-in for Kafka UI is made of that for Kafka, and has its volumes.
    local nameless
    nameless=$(docker volume ls -q --filter dangling=true | grep -cE '^[0-9a-f]{64}$' || :)
    [ "$nameless" -le $((nameless_before + 3)) ] || fail "down leaves $((nameless - nameless_before)) nameless volumes behind"
    # Piece by piece, as make has it: firebase-start, kafka-up, services-up.
    quietly firebase-up
    quietly kafka-up
    quietly services-up
    await_counted 2000
    audit "after the whole stack was taken down and brought up again, piece by piece"
    stack report >"$work/report.log" 2>&1 || fail "the report exits $?: $(tail -n 5 "$work/report.log")"
    grep -q '[1-9]' "$work/report.log" || fail "the report says nothing: $(cat "$work/report.log")"
    ok "make report: $(wc -l <"$work/report.log") lines"
}

is_watched() {
    (cd "$clone" && "${plain_compose[@]}" up -d --no-build prometheus) >"$work/prometheus.log" 2>&1 || fail "$(tail -n 5 "$work/prometheus.log")"
    await_health prometheus 60
    local api=http://127.0.0.1:$PROMETHEUS_PORT/api/v1 until=$((SECONDS + 60))
    while [ "$(curl -fsS -G "$api/query" --data-urlencode 'query=sum by (job) (up)' | python3 -c '
import json, sys; print(sorted(r["metric"]["job"] for r in json.load(sys.stdin)["data"]["result"] if float(r["value"][1]) >= 1))')" != "['analytics', 'dashboard', 'prometheus', 'simulator']" ]; do
        [ "$SECONDS" -lt "$until" ] || fail "Prometheus does not reach analytics, simulator and dashboard: $(curl -fsS "$api/targets")"
        sleep 1
    done
    ok "Prometheus reaches analytics, the simulator and the dashboard"
    # Rates need two measurements.
    sleep 12
    python3 - "$api" "$clone" <<'PYTHON' || fail "the dashboard or the alerts ask for what is not there"
import json, re, sys, urllib.parse, urllib.request
api, clone = sys.argv[1:]
def ask(path):
    return json.load(urllib.request.urlopen(f"{api}/{path}", timeout=10))["data"]
names = set(ask("label/__name__/values"))
rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
assert len(rules) >= 15 and all(rule["health"] == "ok" for rule in rules), rules
# Counted only when it happens.
rare = {"storepulse_analytics_transactions_aborted_total", "storepulse_analytics_store_errors_total",
        "storepulse_analytics_backpressure_seconds_total", "storepulse_analytics_stage_restarts_total", "storepulse_dashboard_store_errors_total", "ALERTS"}
dashboard = json.load(open(f"{clone}/compose/grafana/dashboards/storepulse.json"))
asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
assert len(asked) > 30
unknown, empty = set(), []
for expr in asked + [rule["query"] for rule in rules]:
    unknown |= set(re.findall(r"storepulse_[a-z_]+", expr)) - names - rare
for expr in asked:
    if not ask("query?" + urllib.parse.urlencode({"query": expr}))["result"] and not any(name in expr for name in rare):
        empty.append(expr)
assert not unknown and not empty, (unknown, empty)
print(f"{len(asked)} questions of the dashboard answered, {len(rules)} alerts loaded", file=sys.stderr)
PYTHON
    ok "every question of the dashboard has an answer, every alert is loaded"
}

refuses_other_passwords() {
    quietly down
    cp -p "$clone/.env" "$work/env.saved"
    (cd "$clone" && "$bin/storepulse-pki" init --rotate passwords >/dev/null)
    local status=0
    stack kafka-up >"$work/last.log" 2>&1 || status=$?
    [ "$status" -eq 1 ] && grep -q 'formatted with another cluster id, or other passwords' "$work/last.log" ||
        fail "other passwords (exit code $status): $(tail -n 10 "$work/last.log")"
    ok "other passwords than the data's: $(grep -o 'the storage was formatted.*' "$work/last.log" | head -n 1)"
    cp -p "$work/env.saved" "$clone/.env"
    quietly up dev
    ok "with the old ones it goes on from there"
}

is_deleted() {
    DELETE_DATA=yes quietly down
    [ -z "$(docker volume ls -q --filter "label=com.docker.compose.project=$project")" ] || fail "volumes are left"
    [ -z "$(docker network ls -q --filter "label=com.docker.compose.project=$project")" ] || fail "networks are left"
    ok "DELETE_DATA=yes leaves nothing behind"
}

# The dashboard of an image, with a store of its own, answers with the page that was built with it.
has_its_page() {
    local id page=''
    id=$(docker run -d --read-only --tmpfs /tmp:mode=1777 -p 127.0.0.1:$DASHBOARD_PORT:8800 -e STORE=sqlite -e SQLITE_PATH=/tmp/documents.db \
        -e DASHBOARD_ADDRESS=0.0.0.0:8800 -e DASHBOARD_BEHIND_PROXY=yes "$1" storepulse-dashboard run)
    for _ in $(seq 20); do
        page=$(curl -fsS -m 5 "$dashboard_url/" 2>/dev/null) && break
        sleep 0.5
    done
    local log
    log=$(docker logs "$id" 2>&1 | tail -n 3)
    docker rm -f "$id" >/dev/null
    printf '%s' "$page" | grep -q 'src="/assets/' || fail "the dashboard of the image has no page: $page $log"
    ok "the dashboard of the image has its page"
}

compiled() {
    local toolchain registry=${CARGO_HOME:-$HOME/.cargo}/registry image=storepulse-test/compiled:0.1.0
    toolchain=$(rustc --print sysroot)
    rm -rf "$work/context/rust"
    mkdir -p "$work/context/rust"
    cp -r "$toolchain" "$work/context/rust/rust"
    rm -rf "$work/context/rust/rust/share/doc"
    cp -r "$registry" "$work/context/rust/registry"
    local rust
    rust=$(stand_in rust "$work/context/rust" --build-arg BASE="$debian")
    rm -rf "$work/context/rust"
    local node npm
    npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
    rm -rf "$work/context/node" "$work/packages"
    mkdir -p "$work/context/node" "$work/packages"
    # So that npm has all packages of the page in its cache.
    cp "$clone"/services/dashboard/web/package*.json "$work/packages"
    (cd "$work/packages" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 || fail "npm ci: $(tail -n 5 "$work/npm.log")"
    rm -rf "$work/packages"
    cp "$(readlink -f "$(command -v node)")" "$work/context/node/node"
    cp -r "$npm" "$work/context/node/npm"
    mkdir "$work/context/node/cache"
    cp -r "$(npm config get cache)/_cacache" "$work/context/node/cache/"
    node=$(stand_in node "$work/context/node" --build-arg BASE="$debian")
    rm -rf "$work/context/node"
    DOCKER_BUILDKIT=1 "$builder" build --target services -t "$image" --build-arg RUST_IMAGE="$rust" \
        --build-arg NODE_IMAGE="$node" --build-arg CARGO_PROFILE="${CARGO_PROFILE:-dev}" "$clone" || fail "the image could not be built from source"
    for program in analytics dashboard simulator kafka-admin attacker deploy; do
        docker run --rm "$image" "storepulse-$program" --version || fail "storepulse-$program of the compiled image does not run"
    done
    has_its_page "$image"
    ok "the image is built from source; $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1e6 }')"
}

mkdir -p "$work"
need_parts
trap clean_up EXIT
find_builder
make_stand_ins
make_clone
if docker compose version >/dev/null 2>&1 && [ "${STOREPULSE_COMPOSE:-}" != docker-compose ]; then
    plain_compose=(docker compose)
else
    plain_compose=(docker-compose)
fi
say "with $("${plain_compose[@]}" version --short 2>/dev/null | head -n 1) of ${plain_compose[*]}"
plain_compose+=(-p "$project" -f docker-compose.yml -f docker-compose.dev.yml)
[ -n "${KEEP:-}" ] || MODE=dev DELETE_DATA=yes stack down >/dev/null 2>&1 || :

case $what in
all | bad-input) bad_input ;;&
all | stack)
    brings_up
    await_counted 3000
    is_shown
    is_locked_up
    is_attacked
    audit "after the attack"
    survives
    is_watched
    asks_for_the_token
    restarts
    refuses_other_passwords
    is_deleted
    ;;
compiled) compiled ;;
bad-input) ;;
*) fail "$what: allowed is all, bad-input, stack or compiled" ;;
esac
say "passed: $passed checks"
