#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian packages oneport and oneportd of the last commit into build/deb. Fetches
# nothing: what is missing is named.
#   deb.sh VERSION
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
out=$PWD/build/deb
tree=$out/oneport-$version

fail() {
    echo "deb: $*" >&2
    exit 1
}

command -v dpkg-buildpackage dh >/dev/null ||
    fail "dpkg-dev and debhelper are needed: apt-get install dpkg-dev debhelper"
rm -rf "$out"
mkdir -p "$tree"
if [ -e .git ]; then
    [ -z "$(git status --porcelain)" ] || echo "deb: changes that are not committed are left out" >&2
    git archive --format=tar HEAD | tar -x -C "$tree"
else # an unpacked release
    tar -c --exclude=./build . | tar -x -C "$tree"
fi
# The options and variables of the calling make are dropped. make test has run the unit tests.
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-"nocheck noautodbgsym parallel=$(nproc)"}
# Without the unit tests, their library need not be there.
case " $DEB_BUILD_OPTIONS " in *" nocheck "*) export DEB_BUILD_PROFILES=nocheck ;; esac
(cd "$tree" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1 || {
    tail -n 20 "$out/build.log" >&2
    fail "the packages do not build; $out/build.log has everything"
}
rm -rf "$tree"
ls "$out"/*.deb
