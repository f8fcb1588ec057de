#!/bin/sh
# Fetches the jars of Apache Kafka 4.3.1 from Maven Central into .cache/kafka-4.3.1/libs.
#
# Does nothing when they are there already. The directory appears complete or not at all: jars are
# copied to a temporary directory first, and that is renamed.
set -eu

version=4.3.1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
pom=$root/scripts/kafka/pom.xml
cache=$root/.cache/kafka-$version
libs=$cache/libs
# A list of jars belongs to one pom: when the pom changes, they are fetched again.
wanted=$(cksum <"$pom")

fail() {
    printf 'fetch-kafka: %s\n' "$*" >&2
    exit 1
}

is_complete() {
    [ -f "$libs/.complete" ] && [ "$(cat "$libs/.complete")" = "$wanted" ]
}

is_complete && exit 0

command -v mvn >/dev/null 2>&1 ||
    fail "Maven (mvn) is missing, and Kafka's jars come from Maven Central. Run 'make init', or on Debian: apt-get install maven"
command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java" >/dev/null 2>&1 ||
    fail "Java (17 or newer) is missing. Run 'make init', or on Debian: apt-get install openjdk-17-jre-headless"

mkdir -p "$cache"
# Two callers at once (tests, for example): one fetches, the other waits and finds the result.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$cache/.lock"
    flock 9
    is_complete && exit 0
fi

# What a killed fetch may have left.
find "$cache" -maxdepth 1 -name 'libs.partial.*' -mmin +30 -exec rm -rf {} +
partial=$(mktemp -d "$cache/libs.partial.XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf 'fetch-kafka: fetching Kafka %s from Maven Central (92 jars, 55 MB, once)\n' "$version" >&2
if ! mvn --batch-mode --quiet --file "$pom" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial" >"$cache/maven.log" 2>&1; then
    tail -n 15 "$cache/maven.log" >&2
    fail "Maven could not copy the jars (full output: $cache/maven.log). Is Maven Central, or the mirror in ~/.m2/settings.xml, reachable?"
fi
for jar in "kafka_2.13-$version" "kafka-tools-$version"; do
    [ -s "$partial/$jar.jar" ] || fail "Maven reported success, but $jar.jar is not among the jars in $partial"
done
chmod 755 "$partial"
printf '%s\n' "$wanted" >"$partial/.complete"

rm -rf "$libs"
mv "$partial" "$libs"
trap - EXIT
printf 'fetch-kafka: %s jars in %s\n' "$(find "$libs" -name '*.jar' | wc -l)" "$libs" >&2
