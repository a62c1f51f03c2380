#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the missing Debian packages of some groups and prints their names. Upgrades the libraries
# that the programs are linked with where the package lists of this machine have newer versions,
# which is how Debian mends a fault of theirs. Changes nothing when nothing is missing or old.
#   deps.sh build|demo|test|full|fuzz|bench|peers|deb|portable|lint...
#   deps.sh build newest      fetches the package lists first
set -eu

declare -A packages=(
    [build]="gcc make pkg-config scdoc"
    [linked]="libc6-dev libcrypt-dev libnghttp2-dev libssl-dev libevent-dev libcjson-dev libinih-dev libseccomp-dev libqrencode-dev" # of build
    [newest]=""
    [demo]="openssl python3 python3-websockets"
    [test]="libcmocka-dev git curl nginx-light libnginx-mod-stream chromium chromium-driver nodejs python3-pytest
            python3-pytest-xdist python3-pytest-timeout python3-h2 python3-grpcio valgrind iproute2 faketime
            haproxy caddy nghttp2-client netcat-openbsd bash-completion zsh fish man-db tinyproxy-bin squid microsocks tmux
            dehydrated pebble"
    [fuzz]="clang libclang-rt-14-dev"
    [full]="mmdebstrap pebble docker-compose firefox-esr"
    [bench]="wrk nghttp2-client"
    [arm64]="crossbuild-essential-arm64"
    [deb]="build-essential debhelper dpkg-dev"
    [portable]="dpkg-dev binutils"
    [peers]="haproxy nghttp2-proxy openssh-client openssh-server"
    [lint]="clang clang-format clang-tidy black flake8"
)
packages[build]+=" ${packages[linked]}"
# The tests also build with ipsec-mb, which exists on amd64 only and is for OpenSSL before 3.1.
if [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] && ! pkg-config --atleast-version=3.1 libcrypto 2>/dev/null; then
    packages[test]+=" libipsec-mb-dev"
fi
# CVE-2026-27135 is fixed from this version on.
nghttp2_fixed=1.52.0-1+deb12u3

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Any flavour of nginx, any Caddy, any Node and any version of clang's library will do.
is_there() {
    case $1 in
    nginx-light) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] ;;
    caddy) command -v caddy >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    libclang-rt-*)
        compgen -G "$(clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*.a" >/dev/null
        ;;
    *) is_installed "$1" ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

# Shows what apt-get does, one line for each package that it fetches or sets up.
show_steps() {
    sed -un -e 's/^Get:[0-9]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*\[\(.*\)\]$/  fetching \1 (\2)/p' \
        -e 's/^Setting up \([^ ]*\) .*/  setting up \1/p'
}

# Runs apt-get. Waits while another program, such as the daily upgrade, has its locks.
apt_get() {
    local deadline=$((SECONDS + ${APT_LOCK_WAIT_S:-600})) errors status told=
    errors=$(mktemp)
    while :; do
        as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" 2>"$errors" | show_steps
        status=${PIPESTATUS[0]}
        grep -qE 'Could not get lock|Unable to (acquire|lock)' "$errors" && [ $SECONDS -lt $deadline ] || break
        [ -n "$told" ] || echo "waiting for another program that installs packages"
        told=yes
        sleep 1
    done
    [ "$status" = 0 ] || cat "$errors" >&2
    rm -f "$errors"
    return "$status"
}

missing=()
for group in "$@"; do
    for package in ${packages[$group]}; do
        is_there "$package" || missing+=("$package")
    done
done
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "missing: ${missing[*]} (Debian's names); install them and try again" >&2
        exit 1
    fi
    if ! can_be_root; then
        echo "missing packages, and no sudo to install them; run as root:" >&2
        echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    echo "installing with apt-get: ${missing[*]}"
    apt_get update -q
    apt_get install -y -q --no-install-recommends "${missing[@]}"
fi

# Prints the lines "Inst PACKAGE [OLD] (NEW ...)" of an upgrade of the linked libraries. A -dev
# package depends on its library in the same version.
old_libraries() {
    command -v apt-get >/dev/null || return 0
    apt-get -s -qq install --only-upgrade --no-install-recommends ${packages[linked]} 2>/dev/null |
        grep '^Inst ' || true
}

upgrade() {
    apt_get install -y -q --only-upgrade --no-install-recommends ${packages[linked]}
}

case " $* " in
*" build "*)
    case " $* " in
    *" newest "*)
        ! command -v apt-get >/dev/null || { can_be_root && apt_get update -q; } ||
            echo "warning: the package lists could not be fetched" >&2
        ;;
    esac
    old=$(old_libraries)
    if [ -n "$old" ]; then
        echo "upgrading: $(awk '{ printf "%s%s", sep, $2; sep = " " }' <<<"$old")"
        # Lists that are not fresh can name files that the archive has no more.
        { can_be_root && { upgrade || { apt_get update -q && upgrade; }; }; } ||
            echo "warning: these libraries could not be upgraded" >&2
    fi
    ;;
esac
have=$(dpkg-query -W -f '${Version}' libnghttp2-14 2>/dev/null || true)
if [ -n "$have" ] && dpkg --compare-versions "$have" lt "$nghttp2_fixed"; then
    echo "warning: libnghttp2-14 $have aborts on hostile input (CVE-2026-27135); $nghttp2_fixed does not" >&2
fi
