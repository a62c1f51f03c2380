#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the three images of docker/ and sends one request and one WebSocket through their programs
# (`make test-images`).
#
# No container engine and no ready-made image is used: debootstrap makes the base, buildah the
# images, and the programs run chrooted in the root filesystems of the images, as the images' own
# users. They have a network namespace of their own, so that ports 80, 443 and 3000 are free. The
# script needs root and Debian's package mirror. Each program has the read-only root and the few
# capabilities that docker-compose.yml gives it. All files are in build/images; the base stays there
# for later runs.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$top/build/images
domain=example.com
build() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

say() { echo "images: $*"; }

install_tools() {
    local missing=()
    for tool in buildah debootstrap setpriv; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    /usr/bin/python3 -c 'import yaml' 2>/dev/null || missing+=(python3-yaml)
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

make_certificate() { # into $work/tls, as somebody does who tries the images
    rm -rf "$work/tls"
    "$top/docker/try-certificate.sh" "$domain" "$work/tls" >/dev/null
}

pids=()
clean_up() {
    trap - EXIT
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
}

# Prints what docker-compose.yml gives the service $1: its capabilities, a comma before each, and
# then the folders that it may write. Fails if it has more than that.
settings() {
    /usr/bin/python3 - "$top/docker/docker-compose.yml" "$1" <<'EOF'
import sys

import yaml

service = yaml.safe_load(open(sys.argv[1]))["services"][sys.argv[2]]
assert service["read_only"] and service["cap_drop"] == ["ALL"]
assert service["security_opt"] == ["no-new-privileges:true"]
volumes = [volume.split(":") for volume in service["volumes"]]
writable = [volume[1] for volume in volumes if volume[2:] != ["ro"]] + service.get("tmpfs", [])
print("".join(f",+{capability.lower()}" for capability in service.get("cap_add", [])), *writable)
EOF
}

# start NAME USER SETTINGS COMMAND...: starts a command in the root filesystem of image NAME, with
# what `settings` has printed: a root that is read-only but for some folders, few capabilities, and
# no way to more rights.
start() {
    local name=$1 user=$2 capabilities=${3%% *} folders=${3#* } root folder
    root=$(cat "$work/$name.root")
    shift 3
    mkdir -p "$root/proc" "$root/dev"
    printf '127.0.0.1 localhost oneportd %s\n' "$domain" >"$root/etc/hosts"
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    for folder in $folders; do
        mount -t tmpfs -o mode=755 tmpfs "$root$folder"
        chroot "$root" chown "$user:" "$folder"
    done
    mount -o remount,bind,ro "$root"
    HOME=/var/lib/oneport XDG_STATE_HOME=/var/lib/oneport chroot "$root" setpriv --reuid="$user" \
        --regid="$user" --init-groups --no-new-privs --inh-caps=-all --bounding-set="-all$capabilities" \
        "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
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
        sleep 0.1 # between two looks, until the deadline
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
    start server oneport "$(settings oneportd)" \
        oneportd --listen 0.0.0.0:3000 --state-dir /var/lib/oneport --domain "$domain"
    await oneportd server.err 'listening.*addr='
    start nginx root "$(settings nginx)" nginx -g "daemon off;"
    start client oneport " /var/lib/oneport" oneport --host "https://$domain" --ca /etc/oneport-ca.crt -s demo \
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
