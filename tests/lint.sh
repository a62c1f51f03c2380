#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Finds faults that no reviewer should have to look for. Each part prints its faults.
#   lint.sh            runs every part; fails if one fails
#   lint.sh PART...    runs some parts
#   lint.sh --list     prints the names of the parts
set -u
cd "$(dirname "$0")/.."
parts=(banned spdx refs commits drawings dialect layers format python compilers unused tidy)

# Finds functions that have a safer replacement, allocation that bypasses alloc.h, unfinished work.
part_banned() {
    local found status=0
    local unsafe='\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|alloca|gets)\('
    found=$(grep -nE "$unsafe" -r h2mux src client --include='*.[ch]')
    [ -z "$found" ] || { echo "banned functions:"; echo "$found"; status=1; }
    found=$(grep -nE '\b(malloc|calloc|realloc)\(' -r h2mux src client --include='*.[ch]' |
        grep -v '^h2mux/base/alloc\.c:')
    [ -z "$found" ] || { echo "allocation without alloc.h or buf.h:"; echo "$found"; status=1; }
    local marks='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' # in two parts, so that this line has none
    found=$(git grep -nE "$marks" -- '*.[ch]' '*.sh' '*.py' Makefile)
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

# Prints every tracked Python file, also those without a suffix.
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

# Compiles with both compilers and -Werror. The unit tests of .ci/run use clang's objects.
part_compilers() {
    local status=0
    make --no-print-directory -j"$(nproc)" BUILD=build/lint-gcc CC=gcc WERROR=1 lint-objects || status=1
    make --no-print-directory -j"$(nproc)" BUILD=build/clang CC=clang WERROR=1 lint-objects || status=1
    return $status
}

part_unused() {
    make --no-print-directory -j"$(nproc)" BUILD=build/lint-gcc CC=gcc WERROR=1 lint-objects &&
        tests/unused build/lint-gcc
}

part_tidy() {
    # With the checks of invariants, which the analyzer would take for dead code otherwise.
    make --no-print-directory -B CHECK=1 compile_commands.json
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
