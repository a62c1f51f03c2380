#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a reviewer should not have to look for. Each part prints its faults.
#   lint.sh            every part, and fails if one does
#   lint.sh PART...    some of them       lint.sh --list    their names
set -u
cd "$(dirname "$0")/.."
parts=(banned spdx refs commits drawings dialect layers format python compilers unused tidy)

# Functions that a safer one replaces, allocation that bypasses ours, and work that is not done.
part_banned() {
    local found status=0
    found=$(grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|alloca|gets)\(' -r h2mux src client --include='*.[ch]')
    [ -z "$found" ] || { echo "banned functions:"; echo "$found"; status=1; }
    found=$(grep -nE '\b(malloc|calloc|realloc)\(' -r h2mux src client --include='*.[ch]' | grep -v '^h2mux/base/alloc\.c:')
    [ -z "$found" ] || { echo "bare allocation (alloc.h and buf.h are there):"; echo "$found"; status=1; }
    found=$(git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.[ch]' '*.sh' '*.py' Makefile | grep -v '^tests/lint.sh:')
    [ -z "$found" ] || { echo "unfinished:"; echo "$found"; status=1; }
    return $status
}

part_spdx() { tests/spdx; }
part_refs() { tests/refs --self-test && tests/refs; }
part_commits() { tests/commits; }
part_drawings() { tests/drawings; }
part_dialect() { tests/dialect; }
part_layers() { tests/layers; }

part_format() { clang-format --dry-run --Werror $(git ls-files '*.[ch]'); }

# Every tracked Python file, those without a suffix too.
python_files() {
    git ls-files '*.py'
    git ls-files .ci tests ':!tests/fuzz/corpus' | grep -vE '\.[^/]*$' | xargs grep -lE '^#!.*\bpython3?$'
}

part_python() {
    local status=0
    python_files | xargs black --quiet --check --diff -l 100 || status=1
    python_files | xargs flake8 --max-line-length 100 --extend-ignore E203,W503 || status=1
    return $status
}

# Both compilers with -Werror. clang's objects are those of its unit tests (.ci/run).
part_compilers() {
    local status=0
    make --no-print-directory -j"$(nproc)" BUILD=build/lint-gcc CC=gcc WERROR=1 lint-objects || status=1
    make --no-print-directory -j"$(nproc)" BUILD=build/clang CC=clang WERROR=1 lint-objects || status=1
    return $status
}

part_unused() {
    make --no-print-directory -j"$(nproc)" BUILD=build/lint-gcc CC=gcc WERROR=1 lint-objects && tests/unused build/lint-gcc
}

part_tidy() {
    make --no-print-directory compile_commands.json
    git ls-files 'h2mux/*.c' 'src/*.c' 'client/*.c' | xargs -n 4 -P "$(nproc)" clang-tidy --quiet -p . 2>&1 |
        grep -vE '^[0-9]+ warnings? generated\.$'
    return "${PIPESTATUS[1]}"
}

[ "${1-}" != --list ] || { echo "${parts[*]}"; exit; }
[ $# -gt 0 ] || set -- "${parts[@]}"
status=0
for part in "$@"; do
    part_"$part" || { echo "== lint: $part fails"; status=1; }
done
exit $status
