#!/bin/sh
# Starts a Kafka node in its container: formats the storage the first time, with the users that must exist before the
# first login, then serves. The files under /run/secrets are written by `storepulse-local container-files`.
set -eu

secrets=/run/secrets
data=/var/lib/kafka/data
mark=$data/formatted-with

say() { printf 'kafka-start: %s\n' "$*" >&2; }

for file in server.properties broker.pem ca.crt log4j2.properties kafka.jvm kafka.format; do
    if [ ! -r "$secrets/$file" ]; then
        say "$secrets/$file can't be read by user $(id -u): is STOREPULSE_UID in .env the owner of secret/compose? \`make compose-up\` and its like set it"
        exit 2
    fi
done
if [ ! -w "$data" ]; then
    say "$data can't be written by user $(id -u), group $(id -g): the volume is from another set-up, remove it with \`docker volume rm\`"
    exit 2
fi

# Settings meant for other programs.
unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS

formatting=$(sha256sum <"$secrets/kafka.format")
formatting=${formatting%% *}
if [ ! -e "$data/log/meta.properties" ]; then
    say "formatting the storage"
    rm -rf "$data/log"
    mkdir -m 0700 "$data/log"
    printf '%s\n' "$formatting" >"$mark"
    # On the command line, everybody on the machine could read the passwords that the file holds.
    if ! output=$(java "@$secrets/kafka.format" 2>&1); then
        printf '%s\n' "$output" | grep -v ScramCredential >&2 || :
        rm -rf "$data/log"
        say "the storage could not be formatted"
        exit 1
    fi
elif [ "$(cat "$mark" 2>/dev/null || :)" != "$formatting" ]; then
    say "the storage was formatted with another cluster id, or other passwords of admin and broker, than are in secret/compose and .env now: restore those, or remove the data with \`make compose-down DELETE_DATA=yes\`"
    exit 2
fi

exec java "@$secrets/kafka.jvm" kafka.Kafka "$secrets/server.properties"
