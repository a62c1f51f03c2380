#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo of `make demo`: makes a certificate, and runs the sample app, oneportd and oneport on
# loopback until Ctrl-C. One listener serves everything on the same port: viewers in plain HTTP, the
# register call and the tunnel over TLS.
#
#   DEMO_PORT     the port; the default is 8080
#   ONEPORT_BIN   the folder of the two programs; the default is build/
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=${ONEPORT_BIN:-$here/../../build}
port=${DEMO_PORT:-8080}
url=http://demo.localhost:$port
python=/usr/bin/python3
dir=
declare -A pids=()

fail() {
    echo "demo: $1" >&2
    exit 1
}

# Stops the programs that this script started and removes its directory. The client stops first, so
# that the server has nothing left to drain.
clean_up() {
    trap - EXIT
    trap '' INT TERM HUP
    local name
    for name in oneport oneportd app; do
        [ -n "${pids[$name]-}" ] || continue
        kill -TERM "${pids[$name]}" 2>/dev/null
        stopped_within 5 "${pids[$name]}" || kill -KILL "${pids[$name]}" 2>/dev/null
        wait "${pids[$name]}" 2>/dev/null
    done
    [ -z "$dir" ] || rm -rf "$dir"
}

stopped_within() { # SECONDS PID
    local deadline=$((SECONDS + $1))
    while kill -0 "$2" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

start() { # NAME COMMAND...: runs a command with its output in files of that name
    local name=$1
    shift
    "$@" >"$dir/$name.out" 2>"$dir/$name.log" </dev/null &
    pids[$name]=$!
}

# Waits until file $2 has a line that matches $3. Ends the demo with a message if program $1 ends,
# or if no such line comes.
await() { # NAME FILE PATTERN
    local deadline=$((SECONDS + 20))
    until grep -qE "$3" "$dir/$2" 2>/dev/null; do
        kill -0 "${pids[$1]}" 2>/dev/null || died "$1"
        [ $SECONDS -lt $deadline ] || { last_lines "$1"; fail "$1 was not ready within 20 seconds"; }
        sleep 0.05
    done
}

last_lines() { # NAME
    tail -n 8 "$dir/$1.log" | sed "s/^/    $1: /" >&2
}

died() { # NAME
    wait "${pids[$1]}"
    local code=$?
    last_lines "$1"
    fail "$1 ended by itself (exit code $code)"
}

port_is_free() {
    "$python" -c 'import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null
}

# Asks the URL for its page as a viewer does. The address is that of the server, because a system may
# not know the name: browsers do.
ask() {
    "$python" - "$port" "${url#http://}" <<'EOF'
import http.client
import sys

viewer = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
viewer.request("GET", "/", headers={"Host": sys.argv[2]})
answer = viewer.getresponse()
sys.exit(0 if answer.status == 200 else f"{answer.status} {answer.reason}")
EOF
}

make_certificate() { # into $dir: ca.crt, server.crt, server.key
    local names=subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=oneport demo CA" \
        -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>"$dir/openssl.log" &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
        -keyout "$dir/server.key" -out "$dir/server.csr" 2>>"$dir/openssl.log" &&
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "$names") -out "$dir/server.crt" 2>>"$dir/openssl.log"
}

case $port in *[!0-9]* | "") fail "DEMO_PORT must be a port number, not '$port'" ;; esac
[ -x "$bin/oneportd" ] && [ -x "$bin/oneport" ] || fail "build first: make"
port_is_free "$port" || fail "port $port on 127.0.0.1 is taken; choose another: DEMO_PORT=9090 make demo"

trap clean_up EXIT
trap 'echo; exit 0' INT TERM HUP
dir=$(mktemp -d) || fail "no temporary directory"
make_certificate || { cat "$dir/openssl.log" >&2; fail "openssl could not make the certificate"; }

start app "$python" -u "$here/demo_app.py"
await app app.out '^[0-9]+$'
app_port=$(head -n 1 "$dir/app.out")

start oneportd "$bin/oneportd" --domain localhost --listen "127.0.0.1:$port" \
    --cert "$dir/server.crt" --key "$dir/server.key" --state-dir "$dir/state" --drain-timeout 1s \
    --public-url "http://localhost:$port" --attach-url "https://127.0.0.1:$port"
await oneportd oneportd.log 'listening.*addr='

XDG_STATE_HOME=$dir/client start oneport "$bin/oneport" \
    -h "https://127.0.0.1:$port" --ca "$dir/ca.crt" -s demo "$app_port"
await oneport oneport.out "^your url is: $url\$"

ask 2>"$dir/ask.log" || { last_lines ask; last_lines oneport; fail "$url does not answer"; }

cat <<EOF

  your url is: $url

  Open this URL in many tabs. All of them are counted and share one drawing and one chat through
  one tunnel connection. Or use a terminal:

      curl -i $url/
      curl -s http://localhost:$port/api/status

  Ctrl-C ends the demo and leaves nothing behind.

EOF
getent hosts demo.localhost >/dev/null || cat <<EOF
  This system does not know the name demo.localhost. Browsers and curl do; other programs need
  the address 127.0.0.1 and the field "Host: demo.localhost:$port".

EOF

wait -n -p ended "${pids[@]}"
for name in "${!pids[@]}"; do
    [ "${pids[$name]}" != "${ended-}" ] || died "$name"
done
