#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the WebSocket matrix with npm `ws` at both ends. Has to be started in the repository's root.
# The last line is: N passed, N failed, N skipped.
set -eu
version=8.18.0
work=$PWD/build/interop/ws
here=$PWD/tests/interop
mkdir -p "$work"
started=

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

broken() {
    echo "FAILED $1"
    cat "$work"/*.err
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

ended() {
    for pid in $started; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $started; do
        wait "$pid" 2>/dev/null || true
    done
}
trap ended EXIT

# Waits up to 20 s for a line in file $1 that matches $2. Prints the text of the pattern's group.
line() {
    for _ in $(seq 200); do
        found=$(sed -nE "s~$2~\\1~p" "$1" 2>/dev/null | head -n 1)
        [ -z "$found" ] || { echo "$found"; return 0; }
        sleep 0.1
    done
    return 1
}

command -v node >/dev/null || skip "no node"
command -v npm >/dev/null || skip "no npm"
if ! grep -qs "\"version\": \"$version\"" "$work/node_modules/ws/package.json"; then
    npm install --prefix "$work" --no-audit --no-fund --ignore-scripts --silent \
        --fetch-retries=1 --fetch-retry-mintimeout=1000 "ws@$version" >"$work/npm.log" 2>&1 ||
        skip "npm cannot get ws@$version"
fi
export WS_MODULES="$work"

PYTHONPATH=tests /usr/bin/python3 - "$work" <<'END' || broken "certificates"
import pathlib, shutil, sys
from support.certs import Authority
where = pathlib.Path(sys.argv[1]) / "tls"
shutil.rmtree(where, ignore_errors=True)
where.mkdir()
made = Authority(where).issue("server", "localhost", "*.localhost", "IP:127.0.0.1")
for name in ("cert", "key", "ca"):
    (where / f"{name}.path").write_text(str(getattr(made, name)))
END
tls=$work/tls

node "$here/ws.mjs" origin >"$work/origin.out" 2>"$work/origin.err" &
started="$!"
build/oneportd --domain localhost --listen 127.0.0.1:0 --cert "$(cat "$tls/cert.path")" --key "$(cat "$tls/key.path")" \
    --state-dir "$work/state" >"$work/oneportd.out" 2>"$work/oneportd.err" &
started="$started $!"
origin=$(line "$work/origin.out" '^([0-9]+)$') || broken "the origin did not start"
port=$(line "$work/oneportd.err" '.*listening.*addr=[^ ]*:([0-9]+).*') || broken "oneportd did not start"
XDG_STATE_HOME="$work/client-state" build/oneport -h "https://localhost:$port" --ca "$(cat "$tls/ca.path")" "$origin" \
    >"$work/oneport.out" 2>"$work/oneport.err" &
started="$started $!"
host=$(line "$work/oneport.out" '^your url is: https?://([^ ]+)$') || broken "oneport did not start"

# No `exec` here, so that the trap ends the programs.
status=0
node "$here/ws.mjs" viewer "$host" "$port" || status=$?
exit "$status"
