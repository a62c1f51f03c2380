#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Packs the last commit into build/dist/oneport-VERSION.tar.gz, or checks that file.
#   dist.sh pack VERSION     packs; one commit gives the same bytes with the same git and gzip
#   dist.sh check VERSION    unpacks the file under build/, builds both programs with warnings as
#                            errors and compares their --version
set -euo pipefail
cd "$(dirname "$0")/../.."
command=$1 version=$2
file=build/dist/oneport-$version.tar.gz

fail() {
    echo "dist: $*" >&2
    exit 1
}

pack() {
    [ -e .git ] || fail "this tree is no git checkout, and only a commit can be packed"
    git rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null ||
        fail "git finds no commit here; 'git status' may say why"
    [ "$(git show HEAD:Makefile | sed -n 's/^VERSION := //p')" = "$version" ] ||
        fail "version $version is not committed: see VERSION in the Makefile"
    [ -z "$(git status --porcelain)" ] || echo "dist: changes that are not committed are left out" >&2
    mkdir -p build/dist
    git -c tar.umask=0022 -c core.autocrlf=false \
        archive --format=tar --prefix="oneport-$version/" HEAD | gzip -9n >"$file.part"
    mv "$file.part" "$file"
    echo "$file"
}

check() {
    local program said
    work=$(mktemp -d "$PWD/build/dist-check.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    tar -xzf "$file" -C "$work"
    # The options and variables of the calling make are dropped, so that this build is a user's
    # build.
    env -u MAKEFLAGS -u MFLAGS \
        make --no-print-directory -C "$work/oneport-$version" -j"$(nproc)" VARIANT=release WERROR=1 all ||
        fail "$file does not build"
    for program in oneportd oneport; do
        said=$("$work/oneport-$version/build/$program" --version)
        said=${said%%$'\n'*}
        [ "$said" = "$program $version" ] || fail "$program says '$said', not '$program $version'"
    done
    echo "$file builds, both programs are version $version"
}

case $command in
pack) pack ;;
check) check ;;
*) fail "pack or check, not '$command'" ;;
esac
