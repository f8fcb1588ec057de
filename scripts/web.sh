#!/bin/sh
# The dashboard's page: builds it where its sources are newer than what was built, or runs its tests.
#
#   scripts/web.sh build | test | test-browser | test-live
#
# Needs Node 20.19 or newer with npm. Where there is an older one, as in Debian 12, a newer one comes as a package of npm's,
# into .cache. Without any, `build` says so and succeeds: the dashboard then serves its API, and says how to get the page.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
web=$root/services/dashboard/web
node_version=22.19.0
stamp=$root/.cache/dashboard-page

say() { printf 'web: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# Whether the Node that is found is new enough.
is_new_enough() {
    command -v node >/dev/null 2>&1 && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

# Sets PATH so that `node` is new enough. Fails quietly when there is no way.
find_node() {
    is_new_enough && command -v npm >/dev/null 2>&1 && return
    command -v npm >/dev/null 2>&1 || return 1
    own=$root/.cache/node-$node_version
    if [ ! -x "$own/node_modules/.bin/node" ]; then
        say "$(node --version 2>/dev/null || echo 'no Node') is older than 20.19: fetching Node $node_version"
        mkdir -p "$own"
        npm install --prefix "$own" --no-save --no-audit --no-fund --loglevel=error "node@$node_version" >&2 || return 1
    fi
    PATH=$own/node_modules/.bin:$PATH
    export PATH
    is_new_enough
}

# What the page is made of has one name, so that it is built again when that changes and not otherwise.
fingerprint() {
    (cd "$web" && find . -path ./node_modules -prune -o -path ./dist -prune -o -path './test*' -prune -o -type f -print |
        LC_ALL=C sort | xargs cat | cksum)
}

packages() {
    lock=$(cksum <"$web/package-lock.json")
    if [ "$(cat "$web/node_modules/.storepulse-lock" 2>/dev/null)" != "$lock" ]; then
        say "installing its packages"
        npm ci --prefix "$web" --no-audit --no-fund --loglevel=error >&2
        echo "$lock" >"$web/node_modules/.storepulse-lock"
    fi
}

build() {
    now=$(fingerprint)
    [ -f "$web/dist/index.html" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return
    if ! find_node; then
        say "the dashboard's page is not built: it needs Node 20.19 or newer with npm (Debian: apt-get install npm)"
        return
    fi
    packages
    say "building the dashboard's page"
    npm run --prefix "$web" --silent build >&2
    mkdir -p "$root/.cache"
    echo "$now" >"$stamp"
}

case ${1:-build} in
build) build ;;
test | test-browser | test-live)
    find_node || fail "Node 20.19 or newer with npm is needed to test the dashboard's page"
    packages
    [ "$1" = test ] || build
    case $1 in
    test) npm test --prefix "$web" --silent ;;
    test-browser) npm run --prefix "$web" --silent test:browser ;;
    test-live) npm run --prefix "$web" --silent test:live ;;
    esac
    ;;
*) fail "usage: scripts/web.sh build | test | test-browser | test-live" ;;
esac
