#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes libcjson.a, which Debian does not have, of Debian's source of the installed libcjson1.
#   cjson.sh DIRECTORY CC AR     into DIRECTORY/libcjson.a; does nothing if it is there
#
# apt-get source needs a list of sources, which a plain Debian has not. The script gives it lists of
# its own, in DIRECTORY/apt, and changes nothing of the system's. It needs no root.
set -euo pipefail
directory=$1 cc=$2 ar=$3
package=cjson
[ ! -e "$directory/libcjson.a" ] || exit 0

fail() {
    echo "cjson: $*" >&2
    exit 1
}

command -v apt-get dpkg-source >/dev/null || fail "apt-get and dpkg-source are needed: this is for Debian and its like"
version=$(dpkg-query -W -f '${source:Version}' libcjson-dev 2>/dev/null) || fail "libcjson-dev is not installed: make deps"
mkdir -p "$directory"/apt/{lists/partial,cache/archives/partial}
directory=$(cd "$directory" && pwd)

# One line for each place of binary packages that the system has.
lists=$(apt-get indextargets 'Created-By: Packages' --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u)
[ -n "$lists" ] || fail "this system has no package lists: apt-get update"
while read -r uri release component; do
    case $uri in
    *debian* | *ubuntu*) echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $release $component" ;;
    esac
done <<<"$lists" >"$directory/apt/sources.list"

apt() {
    apt-get -qq -o Dir::Etc::SourceList="$directory/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$directory/apt/lists" -o Dir::Cache="$directory/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update || fail "the lists of sources could not be fetched"
cd "$directory"
apt source --only-source "$package=$version" >/dev/null || fail "the source of $package $version could not be fetched"
tree=$(find . -maxdepth 1 -type d -name "$package-*" | head -n 1)
"$cc" -std=gnu11 -O2 -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -c "$tree/cJSON.c" -o cJSON.o
"$ar" rcs libcjson.a cJSON.o
rm -rf "$tree" "$package"_* cJSON.o apt
