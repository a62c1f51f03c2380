#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests of HTTP and WebSockets with HAProxy and with Node's http2 in place of oneport.
# tests/integration/other_clients.py lists the tests that must fail with them and those that are
# left out. The script prints the names of both; those that are left out count as skipped.
set -u
cd "$(dirname "$0")/../.."
out=$PWD/build/interop
passed=0 failed=0 skipped=0
mkdir -p "$out"

number() { # WORD LINE: prints the number before WORD in pytest's last line
    grep -oE "[0-9]+ $1" <<<"$2" | grep -oE '[0-9]+' || echo 0
}

for client in haproxy node; do
    if ! PATH=$PATH:/usr/sbin command -v "$client" >/dev/null; then
        echo "$client is not installed"
        skipped=$((skipped + 1))
        continue
    fi
    log=$out/client-$client.log
    echo "$client:"
    (cd tests/integration && /usr/bin/python3 -m pytest -q -n 3 --client "$client" -rsxfE) >"$log" 2>&1
    grep -E '^(SKIPPED|XFAIL|FAILED|ERROR)' "$log"
    last=$(tail -n 1 "$log")
    echo "$client: $last"
    bad=$(($(number failed "$last") + $(number error "$last")))
    grep -qE '[0-9]+ passed' <<<"$last" || bad=$((bad > 0 ? bad : 1))
    passed=$((passed + $(number passed "$last") + $(number xfailed "$last")))
    failed=$((failed + bad)) skipped=$((skipped + $(number skipped "$last")))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
