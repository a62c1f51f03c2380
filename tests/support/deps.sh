#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the missing Debian packages of some groups and prints their names. Upgrades the libraries
# that the programs are linked with where the package lists of this machine have newer versions,
# which is how Debian mends a fault of theirs. Changes nothing when nothing is missing or old.
#   deps.sh build|demo|test|fuzz|bench|peers|lint...
#   deps.sh build newest      fetches the package lists first
set -eu

declare -A packages=(
    [build]="gcc make pkg-config"
    [linked]="libc6-dev libnghttp2-dev libssl-dev libevent-dev libcjson-dev libinih-dev" # of build
    [newest]=""
    [demo]="openssl python3 python3-websockets"
    [test]="libcmocka-dev git curl nginx-light chromium chromium-driver nodejs python3-pytest
            python3-pytest-xdist python3-pytest-timeout python3-h2 valgrind iproute2 faketime
            haproxy caddy nghttp2-client netcat-openbsd tinyproxy-bin squid microsocks"
    [fuzz]="clang libclang-rt-14-dev"
    [bench]="wrk"
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
    echo "installing with apt-get: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Prints the lines "Inst PACKAGE [OLD] (NEW ...)" of an upgrade of the linked libraries. A -dev
# package depends on its library in the same version.
old_libraries() {
    command -v apt-get >/dev/null || return 0
    apt-get -s -qq install --only-upgrade --no-install-recommends ${packages[linked]} 2>/dev/null |
        grep '^Inst ' || true
}

upgrade() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --only-upgrade --no-install-recommends ${packages[linked]} >/dev/null
}

case " $* " in
*" build "*)
    case " $* " in
    *" newest "*)
        ! command -v apt-get >/dev/null || as_root apt-get update -qq ||
            echo "warning: the package lists could not be fetched" >&2
        ;;
    esac
    old=$(old_libraries)
    if [ -n "$old" ]; then
        echo "upgrading: $(awk '{ printf "%s%s", sep, $2; sep = " " }' <<<"$old")"
        # Lists that are not fresh can name files that the archive has no more.
        upgrade || { as_root apt-get update -qq && upgrade; } ||
            echo "warning: these libraries could not be upgraded" >&2
    fi
    ;;
esac
have=$(dpkg-query -W -f '${Version}' libnghttp2-14 2>/dev/null || true)
if [ -n "$have" ] && dpkg --compare-versions "$have" lt "$nghttp2_fixed"; then
    echo "warning: libnghttp2-14 $have aborts on hostile input (CVE-2026-27135); $nghttp2_fixed does not" >&2
fi
