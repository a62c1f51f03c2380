#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the three images of docker/ and sends one request and one WebSocket through their programs
# (`make test-images`).
#
# No container engine and no ready-made image is used: debootstrap makes the base, buildah the
# images, and the programs run chrooted in the root filesystems of the images, as the images' own
# users. They have a network namespace of their own, so that ports 80, 443 and 3000 are free. The
# script needs root and Debian's package mirror. All files are in build/images; the base stays there
# for later runs.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$top/build/images
domain=example.com
build() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

say() { echo "images: $*"; }

install_tools() {
    local missing=()
    for tool in buildah debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Makes a minimal Debian, the image that the dockerfiles start from.
make_base() {
    [ -e "$work/base.done" ] && return
    say "making the base"
    rm -rf "$work/base" "$work/store"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$work/debootstrap.log"; return 1; }
    local sources=/etc/apt/sources.list.d
    if [ -e $sources/debian.sources ]; then # includes security updates
        cp $sources/debian.sources "$work/base$sources/"
        : >"$work/base/etc/apt/sources.list"
    fi
    local container
    container=$(build from scratch)
    build add --quiet "$container" "$work/base" / >/dev/null
    build commit --quiet "$container" localhost/oneport-base >/dev/null
    build rm "$container" >/dev/null
    rm -rf "$work/base"
    touch "$work/base.done"
}

# Removes all images but the base. With this storage driver each image is a complete copy.
forget_images() {
    build rm --all >/dev/null
    build rmi --force localhost/oneport-{nginx,server,client} >/dev/null 2>&1 || true
    build rmi --prune --force >/dev/null
}

# Builds docker/$1.dockerfile and prints the path of its root filesystem.
make_image() {
    build build --isolation chroot --build-arg BASE=localhost/oneport-base --layers=false \
        -f "$top/docker/$1.dockerfile" -t "localhost/oneport-$1" "$top" >"$work/$1.log" 2>&1 ||
        { tail -n 20 "$work/$1.log" >&2; return 1; }
    build mount "$(build from "localhost/oneport-$1")"
}

make_certificate() { # into $work/tls
    mkdir -p "$work/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=oneport test CA" \
        -keyout "$work/tls/ca.key" -out "$work/tls/ca.crt" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$domain" \
        -keyout "$work/tls/server.key" -out "$work/tls/server.csr" 2>/dev/null
    openssl x509 -req -in "$work/tls/server.csr" -days 2 \
        -CA "$work/tls/ca.crt" -CAkey "$work/tls/ca.key" -CAcreateserial \
        -extfile <(echo "subjectAltName=DNS:$domain,DNS:*.$domain") -out "$work/tls/server.crt" 2>/dev/null
}

pids=()
clean_up() {
    trap - EXIT
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
}

# start NAME USER COMMAND...: starts a command in the root filesystem of image NAME.
start() {
    local name=$1 user=$2 root
    root=$(cat "$work/$name.root")
    shift 2
    mkdir -p "$root/proc" "$root/dev"
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
    printf '127.0.0.1 localhost oneportd %s\n' "$domain" >"$root/etc/hosts"
    HOME=/var/lib/oneport XDG_STATE_HOME=/var/lib/oneport chroot --userspec="$user" "$root" "$@" \
        >"$work/$name.out" 2>"$work/$name.err" </dev/null &
    pids+=($!)
}

await() { # NAME FILE PATTERN
    local deadline=$((SECONDS + 20))
    until grep -qE "$3" "$work/$2"; do
        if [ $SECONDS -ge $deadline ]; then
            say "$1 did not come up"
            tail -n 8 "$work"/*.err
            return 1
        fi
        sleep 0.1
    done
}

# The second half of the script, which runs in a network and a mount namespace of its own.
run_through() {
    trap clean_up EXIT
    mount --make-rprivate /
    ip link set lo up
    mkdir -p "$(cat "$work/nginx.root")/etc/nginx/ssl"
    cp "$work/tls/server.crt" "$work/tls/server.key" "$(cat "$work/nginx.root")/etc/nginx/ssl/"
    cp "$work/tls/ca.crt" "$(cat "$work/client.root")/etc/oneport-ca.crt"

    /usr/bin/python3 -u "$top/tests/support/demo_app.py" >"$work/app.out" 2>"$work/app.err" &
    pids+=($!)
    await "the sample app" app.out '^[0-9]+$'
    start server oneport oneportd --listen 0.0.0.0:3000 --state-dir /var/lib/oneport --domain "$domain"
    await oneportd server.err 'listening.*addr='
    start nginx root nginx -g "daemon off;"
    start client oneport oneport --host "https://$domain" --ca /etc/oneport-ca.crt -s demo \
        "$(head -n 1 "$work/app.out")"
    await oneport client.out "^your url is: https://demo.$domain\$"

    curl -sSf --cacert "$work/tls/ca.crt" --resolve "demo.$domain:443:127.0.0.1" "https://demo.$domain/" |
        grep -q "<title>oneport demo</title>"
    say "one request went through"
    /usr/bin/python3 "$top/tests/support/websocket_probe.py" "wss://demo.$domain/ws" --ca "$work/tls/ca.crt" |
        grep -q '"kind": "hello"'
    say "one WebSocket went through"
}

if [ "${1-}" = run-through ]; then
    run_through
    exit
fi
[ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
install_tools
mkdir -p "$work"
trap forget_images EXIT
make_base
for image in nginx server client; do
    say "building $image"
    make_image "$image" >"$work/$image.root"
done
make_certificate
unshare --net --mount "$0" run-through
say "passed"
