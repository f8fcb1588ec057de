#!/usr/bin/env bash
# storepulse in containers; `make` calls it. See "In containers" in README.md.
#
#   scripts/compose.sh COMMAND [ARGUMENTS]
#
#   up dev|full             everything; dev: with the Firebase emulator, full: with a real Firestore
#   firebase-up             the Firebase emulator alone
#   kafka-up                brokers, topics, users and permissions, Kafka UI
#   services-up             simulator, analytics and dashboard
#   monitoring-up           Prometheus and Grafana
#   down [PART]             stops everything, or firebase, kafka, services, monitoring, attackers
#                           (everything with DELETE_DATA=yes: and deletes the data)
#   attack [ARGUMENTS]      runs the attackers; exits as they do
#   audit | report [ARGUMENTS]
#   logs [SERVICE…], status, running
#   images                  builds the images, or fetches them where STOREPULSE_REGISTRY names a registry
#
# MODE=dev or MODE=full says which stack is meant where both could be.
set -eo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*"; }
note() { printf '  · %s\n' "$*"; }
fail() {
    printf 'compose: %s\n' "$*" >&2
    exit 1
}
wrong() {
    printf 'compose: %s\n' "$*" >&2
    exit 2
}

# A variable of the environment, or of .env; else the default.
setting() {
    local name=$1 default=${2:-} value=${!1:-}
    if [ -z "$value" ] && [ -f .env ]; then
        value=$(sed -n "s/^$name=//p" .env | tail -n 1)
    fi
    printf '%s' "${value:-$default}"
}

compose_dir=$(setting STOREPULSE_COMPOSE_DIR secret/compose)
project_base=$(setting STOREPULSE_PROJECT storepulse)
registry=$(setting STOREPULSE_REGISTRY)
version=$(setting STOREPULSE_VERSION 0.1.0)
services_image=${registry:-storepulse}/services:$version
firebase_image=$(setting FIREBASE_IMAGE "${registry:-storepulse}/firebase:$version")
export FIREBASE_IMAGE=$firebase_image

# --- Docker and Compose -------------------------------------------------------------------------------------------

COMPOSE=()

need_docker() {
    command -v docker >/dev/null 2>&1 ||
        fail "Docker is not installed: install Docker Engine 20.10 or newer (https://docs.docker.com/engine/install/), or use \`make run\`, which needs none"
    local answer
    if ! answer=$(docker version --format '{{.Server.Version}}' 2>&1); then
        case $answer in
        *"permission denied"*) fail "this user may not use Docker: add it to the group docker (sudo usermod -aG docker $(id -un), then log in again)" ;;
        *) fail "Docker does not answer ($(printf '%s' "$answer" | tail -n 1)): start it (sudo systemctl start docker), or set DOCKER_HOST" ;;
        esac
    fi
    local major=${answer%%.*} minor=${answer#*.}
    minor=${minor%%.*}
    if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 10 ]; }; then
        fail "Docker is version $answer: 20.10 or newer is needed"
    fi
    find_compose
}

# `docker compose` where there is one, else docker-compose. STOREPULSE_COMPOSE chooses.
find_compose() {
    local chosen found
    chosen=$(setting STOREPULSE_COMPOSE)
    if [ "$chosen" != docker-compose ] && found=$(docker compose version --short 2>/dev/null); then
        COMPOSE=(docker compose)
    elif [ "$chosen" != "docker compose" ] && found=$(docker-compose version --short 2>/dev/null); then
        COMPOSE=(docker-compose)
    else
        fail "Docker Compose is not installed: install the plugin (docker-compose-plugin), or docker-compose 1.29 or newer"
    fi
    found=${found#v}
    if [ "$(printf '%s\n' 1.29.0 "$found" | sort -V | head -n 1)" != 1.29.0 ]; then
        fail "${COMPOSE[*]} is version $found: 1.29 or newer is needed"
    fi
}

project() {
    if [ "$mode" = dev ]; then printf '%s-dev' "$project_base"; else printf '%s' "$project_base"; fi
}

compose() {
    local files=(-f docker-compose.yml)
    [ "$mode" = dev ] && files+=(-f docker-compose.dev.yml)
    # The old one complains of every secret whose file is not there yet, even when it is to stop or to look.
    "${COMPOSE[@]}" -p "$(project)" "${files[@]}" "$@" 2> >(grep -v 'uses an undefined secret file' >&2)
}

# Containers of a service of the stack, running or not.
containers() {
    docker ps -aq --filter "label=com.docker.compose.project=$(project)" --filter "label=com.docker.compose.service=$1" \
        --filter "label=com.docker.compose.oneoff=False"
}

is_running() {
    [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$(project)" --filter "label=com.docker.compose.service=$1")" ]
}

has_containers() {
    [ -n "$(docker ps -aq --filter "label=com.docker.compose.project=$1")" ]
}

# Which stack is meant: the one that was asked for, or that there is, or that can be.
choose_mode() {
    mode=${1:-${MODE:-}}
    case $mode in
    dev | full) return ;;
    '') ;;
    *) wrong "MODE is $mode: allowed is dev (Firebase emulator) or full (a real Firestore)" ;;
    esac
    local dev='' full=''
    has_containers "$project_base-dev" && dev=yes
    has_containers "$project_base" && full=yes
    case $dev:$full in
    yes:yes) wrong "there is a stack with the emulator and one with a real Firestore: say which with MODE=dev or MODE=full" ;;
    yes:) mode=dev ;;
    :yes) mode=full ;;
    *) if google_key >/dev/null; then mode=full; else mode=dev; fi ;;
    esac
}

# --- What has to be there before --------------------------------------------------------------------------------

# The key that reaches a real Firestore: the service account's, or Application Default Credentials.
google_key() {
    local file
    for file in secret/serviceAccountKey.json "${GOOGLE_APPLICATION_CREDENTIALS:-}" \
        "${CLOUDSDK_CONFIG:-$HOME/.config/gcloud}/application_default_credentials.json"; do
        if [ -n "$file" ] && [ -f "$file" ]; then
            printf '%s' "$file"
            return
        fi
    done
    return 1
}

local_program() {
    local profile=${PROFILE:-release}
    [ "$profile" = dev ] && profile=debug
    local program=${CARGO_TARGET_DIR:-target}/$profile/storepulse-local
    [ -x "$program" ] || fail "$program is not built: run \`make init\` first"
    printf '%s' "$program"
}

# Whoever reaches a published dashboard sees the shop: beyond this machine, only with a token.
token_file=secret/dashboard.token
need_token() {
    local bind
    bind=$(setting STOREPULSE_BIND 127.0.0.1)
    case $bind in
    127.* | localhost | '[::1]') return ;;
    esac
    [ -f "$token_file" ] ||
        fail "STOREPULSE_BIND is $bind, so others can reach the dashboard, and it asks for no log-in: put a token into $token_file (openssl rand -hex 24 > $token_file), or leave STOREPULSE_BIND out"
}

# The page has a link to Grafana as long as there is one.
link_grafana() {
    if [ -z "$(setting GRAFANA_URL)" ] && is_running grafana; then
        GRAFANA_URL=$(where GRAFANA_PORT 3000)
        export GRAFANA_URL
    fi
}

# Configurations, papers and passwords, as files that only the containers' user can read.
write_files() {
    local arguments=(--to "$compose_dir") key program
    program=$(local_program)
    if [ -f "$token_file" ]; then arguments+=(--dashboard-token "$token_file"); fi
    if [ "$mode" = full ]; then
        key=$(google_key) ||
            fail "there is no key for a real Firestore: save a service account's key as secret/serviceAccountKey.json (see \"Firestore\" in README.md), run \`gcloud auth application-default login\`, or use \`make compose-dev-up\`"
        arguments+=(--google-key "$key")
    fi
    "$program" container-files "${arguments[@]}" || exit $?
    if [ "$mode" = full ] && [ -z "$(setting GCLOUD_PROJECT)" ]; then
        fail "$key names no project: set GCLOUD_PROJECT in .env"
    fi
}

# For bash, /dev/tcp is a connection.
is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

need_port() {
    local service=$1 port=$2 variable=$3 owner=''
    is_running "$service" && return
    if is_taken "$port"; then
        if command -v ss >/dev/null 2>&1; then
            owner=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, process \2/p' | head -n 1)
        fi
        fail "port $port, which $service would be published on, is in use${owner:+ by $owner}: stop that, or choose another with $variable=…"
    fi
}

need_ports() {
    local part
    for part in "$@"; do
        case $part in
        kafka-ui) need_port kafka-ui "$(setting KAFKA_UI_PORT 8888)" KAFKA_UI_PORT ;;
        dashboard) need_port dashboard "$(setting DASHBOARD_PORT 8800)" DASHBOARD_PORT ;;
        firebase)
            need_port firebase "$(setting FIREBASE_UI_PORT 4000)" FIREBASE_UI_PORT
            need_port firebase "$(setting FIRESTORE_PORT 8080)" FIRESTORE_PORT
            need_port firebase "$(setting FIRESTORE_WEBSOCKET_PORT 9150)" FIRESTORE_WEBSOCKET_PORT
            ;;
        prometheus) need_port prometheus "$(setting PROMETHEUS_PORT 9090)" PROMETHEUS_PORT ;;
        grafana) need_port grafana "$(setting GRAFANA_PORT 3000)" GRAFANA_PORT ;;
        esac
    done
}

# What the brokers and services take at the least; their limits together are more.
need_memory() {
    local least=$1 bytes
    bytes=$(docker info --format '{{.MemTotal}}')
    if [ "$bytes" -gt 0 ] && [ $((bytes / 1048576)) -lt "$least" ]; then
        fail "Docker has $((bytes / 1048576)) MiB of memory, and the stack needs $least: give it more (Docker Desktop: Settings, Resources)"
    fi
}

# --- Images --------------------------------------------------------------------------------------------------------

# A docker program that can build with BuildKit: of version 20.10, or with the plugin buildx.
builder() {
    local program client
    while read -r program; do
        client=$("$program" version --format '{{.Client.Version}}' 2>/dev/null </dev/null) || continue
        if [ "${client%%.*}" -lt 23 ] || "$program" buildx version >/dev/null 2>&1 </dev/null; then
            printf '%s' "$program"
            return
        fi
    done < <(hash -r; type -aP docker | awk '!seen[$0]++')
    fail "Docker has no BuildKit: install its plugin buildx (docker-buildx-plugin)"
}

build() {
    local target=$1 image=$2 program name value arguments=()
    program=$(builder)
    for name in RUST_IMAGE NODE_IMAGE BINARIES CARGO_PROFILE FIREBASE_TOOLS_VERSION; do
        value=$(setting "$name")
        [ -n "$value" ] && arguments+=(--build-arg "$name=$value")
    done
    note "building $image"
    local revision
    revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
    DOCKER_BUILDKIT=1 "$program" build --target "$target" -t "$image" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "${arguments[@]}" . ||
        fail "$image could not be built, see above. If a base image can't be pulled, name another: RUST_IMAGE=…, NODE_IMAGE=…; if the image is to be had elsewhere, STOREPULSE_REGISTRY=…"
}

fetch() {
    local image=$1 variable=$2 answer
    docker image inspect "$image" >/dev/null 2>&1 && return
    note "fetching $image"
    answer=$(docker pull -q "$image" 2>&1) ||
        fail "the image $image can't be pulled ($(printf '%s' "$answer" | tail -n 1)): load it with \`docker load\`, or name another with $variable=…"
}

# The images of services, so that nothing is begun that can't be ended.
need_images() {
    local part
    for part in "$@"; do
        case $part in
        kafka-[123]) fetch "$(setting KAFKA_IMAGE apache/kafka:4.3.1)" KAFKA_IMAGE ;;
        kafka-ui) fetch "$(setting KAFKA_UI_IMAGE ghcr.io/kafbat/kafka-ui:v1.5.0)" KAFKA_UI_IMAGE ;;
        prometheus) fetch "$(setting PROMETHEUS_IMAGE prom/prometheus:v3.5.0)" PROMETHEUS_IMAGE ;;
        grafana) fetch "$(setting GRAFANA_IMAGE grafana/grafana:12.1.1)" GRAFANA_IMAGE ;;
        firebase)
            if [ "$firebase_image" != "storepulse/firebase:$version" ]; then
                fetch "$firebase_image" FIREBASE_IMAGE
            else
                build firebase "$firebase_image"
            fi
            ;;
        ours)
            if [ -n "$registry" ]; then
                fetch "$services_image" STOREPULSE_REGISTRY
            else
                build services "$services_image"
            fi
            ;;
        esac
    done
}

# --- Up and down -----------------------------------------------------------------------------------------------------

# Starts services and waits until they are well; says why when one is not.
start() {
    local log status=0 service failing=()
    # Docker has those that keep failing wait longer and longer, and Compose starts nothing that needs them. Begin anew:
    # what is to be kept is in volumes.
    for service in "$@"; do
        if keeps_failing "$service"; then failing+=("$service"); fi
    done
    if [ ${#failing[@]} -gt 0 ]; then
        note "beginning anew: ${failing[*]}"
        compose rm -sfv "${failing[@]}" >/dev/null 2>&1 || :
    fi
    log=$(mktemp)
    compose up -d --no-build "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        grep -v '^\(Creating\|Starting\|Recreating\| Container\| Network\| Volume\)' "$log" | tail -n 5 >&2 || :
        rm -f "$log"
        why_not "$@"
        fail "not everything could be started; \`make logs\` shows more, and running this again goes on from here"
    fi
    rm -f "$log"
    local patience=$((SECONDS + 240)) waiting
    for service in "$@"; do
        while :; do
            waiting=$(state "$service")
            case $waiting in
            healthy | running | done) break ;;
            esac
            if [ "$SECONDS" -ge "$patience" ] || [ "$waiting" = gone ]; then
                why_not "$service"
                fail "$service is $waiting; \`make logs\` shows more, and running this again goes on from here"
            fi
            sleep 1
        done
        note "$service is $waiting"
    done
}

# How a service is: healthy, running, done, starting, unhealthy, failed, restarting, gone.
state() {
    local id worst='' one
    for id in $(containers "$1"); do
        one=$(docker inspect --format '{{.State.Status}}/{{if .State.Health}}{{.State.Health.Status}}{{end}}/{{.State.ExitCode}}' "$id" 2>/dev/null) || continue
        case $one in
        running/healthy/*) one=healthy ;;
        running//*) one=running ;;
        running/*) one=${one#running/} one=${one%%/*} ;;
        exited/*/0) one='done' ;;
        exited/*) one=failed ;;
        *) one=${one%%/*} ;;
        esac
        case $one in
        healthy | running | done) worst=${worst:-$one} ;;
        *) worst=$one ;;
        esac
    done
    printf '%s' "${worst:-gone}"
}

# Whether a container of a service is restarted again and again, or not well for long.
keeps_failing() {
    local id one
    for id in $(containers "$1"); do
        one=$(docker inspect --format '{{.State.Status}}/{{if .State.Health}}{{.State.Health.Status}}{{end}}/{{.RestartCount}}' "$id" 2>/dev/null) || continue
        case $one in
        restarting/* | running/unhealthy/*) return 0 ;;
        running/starting/0) ;;
        running/starting/*) return 0 ;;
        esac
    done
    return 1
}

# The last words of those that are not well.
why_not() {
    local service id
    for service in kafka-1 kafka-2 kafka-3 kafka-init "$@"; do
        case $(state "$service") in
        healthy | running | done | gone | created) continue ;;
        esac
        for id in $(containers "$service"); do
            printf 'compose: %s is %s; it says:\n' "$service" "$(state "$service")" >&2
            docker logs --tail 5 "$id" 2>&1 | sed 's/^/    /' >&2
        done
    done
}

kafka=(kafka-1 kafka-2 kafka-3)
say_dashboard() {
    local log_in=''
    [ -f "$token_file" ] && log_in=", with the token in $token_file"
    say "  dashboard   $(where DASHBOARD_PORT 8800)$log_in"
}
where() { printf 'http://localhost:%s' "$(setting "$1" "$2")"; }
what_mode() { [ "$mode" = dev ] && printf 'the Firebase emulator' || printf 'Firestore of project %s' "$(setting GCLOUD_PROJECT)"; }

firebase_up() {
    mode=dev
    need_docker
    write_files
    need_ports firebase
    need_images firebase
    start firebase
    say "The Firebase emulator is up: $(where FIREBASE_UI_PORT 4000). Next: make kafka-up"
}

kafka_up() {
    need_docker
    choose_mode
    need_memory 3000
    write_files
    need_ports kafka-ui
    need_images "${kafka[@]}" ours kafka-ui
    start "${kafka[@]}" kafka-init kafka-ui
    say "Kafka is up, with topics, users and permissions. Look at it: $(where KAFKA_UI_PORT 8888). Next: make services-up"
}

services_up() {
    need_docker
    choose_mode
    local more=()
    [ "$mode" = dev ] && more=(firebase)
    need_memory 3000
    need_token
    write_files
    need_ports "${more[@]}" dashboard
    need_images ours "${kafka[@]}" "${more[@]}"
    link_grafana
    start "${more[@]}" "${kafka[@]}" kafka-init analytics simulator dashboard
    say "Simulator, analytics and dashboard run; documents go to $(what_mode)."
    say_dashboard
    [ "$mode" = dev ] && say "  documents   $(where FIREBASE_UI_PORT 4000)/firestore/default/data"
    say "  and then    make status, make logs, make audit, make report"
}

up() {
    mode=$1
    case $mode in
    dev | full) ;;
    *) wrong "up $mode: allowed is dev or full" ;;
    esac
    need_docker
    local all=("${kafka[@]}" kafka-init kafka-ui analytics simulator dashboard)
    [ "$mode" = dev ] && all=(firebase "${all[@]}")
    need_memory "$([ "$mode" = dev ] && echo 4000 || echo 3000)"
    need_token
    write_files
    need_ports "${all[@]}"
    need_images "${all[@]}" ours
    link_grafana
    start "${all[@]}"
    say "storepulse is up; documents go to $(what_mode)."
    say_dashboard
    say "  Kafka UI    $(where KAFKA_UI_PORT 8888)"
    [ "$mode" = dev ] && say "  documents   $(where FIREBASE_UI_PORT 4000)/firestore/default/data"
    say "  and then    make status, make logs, make attacker-up, make audit, make report, make monitoring-up"
    if [ "$mode" = dev ]; then say "  to end      make compose-dev-down"; else say "  to end      make compose-down"; fi
}

monitoring_up() {
    need_docker
    choose_mode
    write_files
    need_ports prometheus grafana
    need_images prometheus grafana
    start prometheus grafana
    # The page gets its link.
    if is_running dashboard; then
        link_grafana
        need_token
        start dashboard
    fi
    say "Prometheus: $(where PROMETHEUS_PORT 9090)   Grafana, with the dashboard: $(where GRAFANA_PORT 3000)"
    say "Grafana's user admin has the password in $compose_dir/grafana-admin.password."
}

down() {
    local part=${1:-all}
    need_docker
    choose_mode "${2:-}"
    # Compose wants the files of secrets even to stop.
    case $part in
    all)
        local arguments=(--remove-orphans)
        if [ "${DELETE_DATA:-}" = yes ]; then
            arguments+=(--volumes)
        fi
        # Those with a profile, too.
        COMPOSE_PROFILES=monitoring,attackers,tools compose down "${arguments[@]}"
        if [ "${DELETE_DATA:-}" = yes ]; then
            say "Stopped, and the data of topics and documents deleted."
        else
            say "Stopped. The data is kept; \`make $([ "$mode" = dev ] && echo compose-dev-down || echo compose-down) DELETE_DATA=yes\` deletes it."
        fi
        ;;
    firebase) remove firebase ;;
    kafka) remove kafka-ui kafka-init "${kafka[@]}" ;;
    services) remove dashboard simulator analytics ;;
    monitoring) remove grafana prometheus ;;
    attackers)
        # They are run one at a time, and remove themselves unless they were interrupted.
        local left
        left=$(docker ps -aq --filter "label=com.docker.compose.project=$(project)" --filter label=com.docker.compose.service=attacker)
        # shellcheck disable=SC2086 # a list of ids
        [ -z "$left" ] || docker rm -f $left >/dev/null
        say "No attacker runs."
        ;;
    *) wrong "down $part: allowed is nothing, firebase, kafka, services, monitoring or attackers" ;;
    esac
}

remove() {
    COMPOSE_PROFILES=monitoring compose stop "$@"
    COMPOSE_PROFILES=monitoring compose rm -f "$@" >/dev/null 2>&1
    say "Stopped: $*. The data is kept."
}

# --- On a running stack ----------------------------------------------------------------------------------------------

need_running() {
    need_docker
    choose_mode
    is_running kafka-1 || is_running kafka-2 || is_running kafka-3 ||
        fail "no broker of $(project) runs: start it with \`make $([ "$mode" = dev ] && echo compose-dev-up || echo compose-up)\`"
}

once() {
    local service=$1
    shift
    need_running
    # Compose's own messages are not part of the answer.
    compose run --rm -T "$service" "$@"
}

command=${1:-}
[ "$#" -gt 0 ] && shift
case $command in
up) up "${1:-}" ;;
firebase-up) firebase_up ;;
kafka-up) kafka_up ;;
services-up) services_up ;;
monitoring-up) monitoring_up ;;
down) down "$@" ;;
attack) once attacker "$@" ;;
audit | report) once "$command" "$command" "$@" ;;
logs)
    need_docker
    choose_mode
    compose logs --tail "${TAIL:-100}" ${FOLLOW:+-f} "$@"
    ;;
status)
    need_docker
    choose_mode
    say "$(project): documents go to $(what_mode)"
    if is_running dashboard; then say_dashboard; fi
    compose ps
    ;;
running)
    command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1 || exit 1
    for mode in dev full; do
        if is_running kafka-1; then
            say "$mode"
            exit 0
        fi
    done
    exit 1
    ;;
images)
    need_docker
    choose_mode
    need_images ours
    if [ "$mode" = dev ]; then need_images firebase; fi
    ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
