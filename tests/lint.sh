#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a reviewer should not have to look for.
#   lint.sh           everything          lint.sh banned     the greps, license lines, references and drawings alone (part of `make test`)
set -u
cd "$(dirname "$0")/.."
status=0

banned() {
    local found
    found=$(grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|alloca|gets)\(' -r h2mux src client --include='*.[ch]')
    [ -z "$found" ] || { echo "banned functions:"; echo "$found"; status=1; }
    found=$(grep -nE '\b(malloc|calloc|realloc)\(' -r h2mux src client --include='*.[ch]' | grep -v '^h2mux/base/alloc\.c:')
    [ -z "$found" ] || { echo "bare allocation (alloc.h and buf.h are there):"; echo "$found"; status=1; }
    found=$(git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.[ch]' '*.sh' '*.py' Makefile | grep -v '^tests/lint.sh:')
    [ -z "$found" ] || { echo "unfinished:"; echo "$found"; status=1; }
    tests/spdx || status=1
    tests/refs --self-test || status=1
    tests/refs || status=1
    tests/drawings || status=1
}

format() {
    clang-format --dry-run --Werror $(git ls-files '*.[ch]') || status=1
}

compilers() {
    for cc in gcc clang; do
        echo "== $cc"
        make --no-print-directory -j"$(nproc)" CC=$cc VARIANT=release BUILD=build/lint-$cc WERROR=1 lint-objects || status=1
    done
}

tidy() {
    make --no-print-directory compile_commands.json
    clang-tidy --quiet -p . $(git ls-files 'h2mux/*.c' 'src/*.c' 'client/*.c') || status=1
}

banned
if [ "${1-}" != banned ]; then
    tests/commits || status=1
    format
    compilers
    tidy
fi
exit $status
