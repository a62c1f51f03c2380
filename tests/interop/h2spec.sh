#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs h2spec against oneport's HTTP/2 side. Needs a Go toolchain and its module proxy; without them
# the script says so and counts as skipped.
set -u
cd "$(dirname "$0")/../.."
# The tag, and the commit that the tag names: a module proxy may have only one of them.
versions="v2.6.0 v0.0.0-20200804131034-70ac22940108"
out=$PWD/build/interop

skip() {
    echo "h2spec not run: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

mkdir -p "$out"
if [ ! -x "$out/h2spec" ]; then
    command -v go >/dev/null || skip "there is no Go toolchain"
    for version in $versions; do
        GOBIN=$out timeout 300 go install "github.com/summerwind/h2spec/cmd/h2spec@$version" \
            >"$out/h2spec.log" 2>&1 && break
    done
    [ -x "$out/h2spec" ] ||
        skip "it cannot be installed: $(tail -n 1 "$out/h2spec.log" | sed 's|https\?://[^ ]*||g')"
fi
exec /usr/bin/python3 tests/interop/h2spec.py "$out/h2spec"
