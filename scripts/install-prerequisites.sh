#!/bin/sh
# Installs what building and running storepulse needs: on Debian and Ubuntu by apt, after saying what;
# elsewhere it says exactly what to install, and exits 1. Quick, and quiet, when nothing is missing.
set -eu

say() { printf 'install-prerequisites: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# The major version of the Java that would be used; nothing when there is none.
java_version() {
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 |
        sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1
}

has_java() {
    version=$(java_version)
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

# The places storepulse-local looks in, but for those of other systems.
has_firestore_emulator() {
    [ -f "${FIRESTORE_EMULATOR_JAR:-/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar}" ]
}

if ! has cargo; then
    say "Rust is missing. Install it from https://rustup.rs (it then picks the version in rust-toolchain.toml), and try again."
    exit 1
fi

if ! has apt-get || ! has dpkg-query; then
    missing=''
    has cc && has c++ && has make || missing="$missing
  a C and C++ compiler and make"
    has pkg-config || missing="$missing
  pkg-config"
    has pkg-config && pkg-config --exists openssl || missing="$missing
  OpenSSL 3 with headers          (openssl-devel, openssl@3)"
    has pkg-config && pkg-config --exists libsasl2 || missing="$missing
  Cyrus SASL with headers         (cyrus-sasl-devel, cyrus-sasl)"
    has pkg-config && pkg-config --exists zlib || missing="$missing
  zlib with headers               (zlib-devel, zlib)"
    has curl || missing="$missing
  curl"
    has mvn || missing="$missing
  Apache Maven                    (maven)"
    has_java || missing="$missing
  Java 17 or newer                (java-21-openjdk-headless, openjdk)"
    has npm || missing="$missing
  Node.js 20.19 or newer with npm (nodejs, node)"
    [ -z "$missing" ] && exit 0
    say "this system has no apt, so please install these yourself, and try again:$missing"
    say "optional: Google's Firestore emulator (gcloud components install cloud-firestore-emulator); without it documents go to SQLite."
    exit 1
fi

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=''
for package in build-essential pkg-config libssl-dev libsasl2-dev zlib1g-dev curl; do
    is_installed "$package" || missing="$missing $package"
done
has mvn || missing="$missing maven"
# Debian's own Node may be too old; npm brings a newer one (scripts/web.sh).
has npm || missing="$missing npm"
if ! has_java; then
    if [ -n "${JAVA_HOME:-}" ]; then
        say "JAVA_HOME is $JAVA_HOME, which has no Java 17 or newer: change or unset it."
        exit 1
    fi
    # The oldest that will do; a newer release of the system has another.
    for java in openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless; do
        if apt-cache show "$java" >/dev/null 2>&1; then
            break
        fi
    done
    missing="$missing $java"
fi
# Not in Debian itself: only where Google's package source is set up.
if ! has_firestore_emulator; then
    candidate=$(apt-cache policy google-cloud-cli-firestore-emulator 2>/dev/null | sed -n 's/ *Candidate: //p')
    if [ -n "$candidate" ] && [ "$candidate" != '(none)' ]; then
        missing="$missing google-cloud-cli-firestore-emulator"
    fi
fi

[ -z "$missing" ] && exit 0

say "these packages are missing and will be installed:$missing"
if [ "$(id -u)" -eq 0 ]; then
    sudo=''
elif has sudo; then
    sudo='sudo'
else
    say "not root, and there is no sudo: run as root: apt-get install -y$missing"
    exit 1
fi

# shellcheck disable=SC2086 # lists of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq || say "apt-get update failed: trying with the package lists there are"
# shellcheck disable=SC2086
if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; then
    say "apt-get could not install:$missing"
    exit 1
fi
if ! has_java; then
    say "Java 17 or newer was installed, but \`java\` is another one: choose with \`update-alternatives --config java\`, or set JAVA_HOME"
    exit 1
fi
