#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests of HTTP and WebSockets with HAProxy and with Node's http2 at the end of the link, in place of oneport. What must fail with
# them and what is left out stands in tests/integration/other_clients.py; it is told by name, and what is left out counts as skipped.
set -u
cd "$(dirname "$0")/../.."
out=$PWD/build/interop
passed=0 failed=0 skipped=0
mkdir -p "$out"

number() { # WORD LINE: of pytest's last line
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
