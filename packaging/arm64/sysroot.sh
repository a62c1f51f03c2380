#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes what a cross build for arm64 needs: the root build/deps/arm64, with Debian's arm64 packages
# unpacked into it. Installs nothing, and needs no root.
#   sysroot.sh PACKAGE...
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/build/deps/arm64
list="$*"

fail() {
    echo "arm64: $*" >&2
    exit 1
}

[ "$(cat "$root/packages" 2>/dev/null)" != "$list" ] || exit 0
command -v aarch64-linux-gnu-gcc >/dev/null || fail "a cross compiler is needed: apt-get install crossbuild-essential-arm64"
rm -rf "$root"
mkdir -p "$root"/apt/{lists/partial,cache/archives/partial,etc}
: >"$root/apt/status"
apt-get indextargets 'Created-By: Packages' --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u |
    while read -r uri release component; do
        case $uri in
        *debian*) echo "deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $release $component" ;;
        esac
    done >"$root/apt/sources.list"
apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::Status="$root/apt/status" \
        -o Dir::Etc::SourceList="$root/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::Cache="$root/apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update || fail "the package lists of arm64 could not be fetched"
apt install --download-only -y --no-install-recommends "$@" >/dev/null || fail "the packages of arm64 could not be fetched"
for package in "$root"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
rm -rf "$root/apt"
echo "$list" >"$root/packages"
