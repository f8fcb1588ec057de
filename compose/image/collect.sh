#!/bin/sh
# Copies the programs of the image from a directory of cargo's into another, without debugging information:
#
#   compose/image/collect.sh target/release dist
set -eu

from=$1 to=$2
mkdir -p "$to"
for program in analytics attacker dashboard deploy kafka-admin simulator; do
    # Function names stay, for the trace of a panic.
    strip --strip-debug -o "$to/storepulse-$program" "$from/storepulse-$program"
done
