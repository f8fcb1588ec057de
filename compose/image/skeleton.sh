#!/bin/sh
# Reduces the workspace to what its dependencies are built from: manifests, and an empty file for every target.
set -eu

find services tests -type f ! -name Cargo.toml ! -name '*.rs' -delete
find services tests -type f -name '*.rs' | while read -r file; do
    if grep -q 'fn main' "$file"; then
        echo 'fn main() {}' >"$file"
    elif [ "${file##*/src/}" = lib.rs ]; then
        : >"$file"
    else
        rm "$file"
    fi
done
rm -rf compose dist docs
