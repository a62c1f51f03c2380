#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and tests each VARIANT. The last line is: N passed, N failed[, N skipped].
#   run.sh VARIANT...       as in run.sh release asan
#   FULL=1                  adds the tests marked `full`: every offset, documented default times
#   LINT=1                  adds each part of `make lint`
#   CLANG=1                 adds the unit tests built by clang
#   FUZZ_SMOKE=4            the seconds that each fuzzer runs at the end; 0: none runs
# Each variant runs the unit tests, the fuzzers' corpora and the integration tests. The release
# build also counts instructions and has a smoke run of the benchmark; a sanitized one has a short
# soak.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
logs=build/test-logs
jobs=$(nproc)
workers=$((3 * jobs)) # most tests wait for something
started=$SECONDS
export CMOCKA_MESSAGE_OUTPUT=stdout

say() { echo "== $((SECONDS - started)) s: $*"; }

count() { # PASSED FAILED SKIPPED
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

check() { # NAME COMMAND...: counts one pass or one failure; prints the output only of a failure
    local name=$1 log=$logs/$1.log
    shift
    if "$@" >"$log" 2>&1; then
        count 1 0 0
    else
        count 0 1 0
        say "FAILED: $name"
        tail -n 40 "$log"
    fi
}

# Runs each BINARY, as many at a time as there are processors, and counts the tests of each.
run_units() { # VARIANT BINARY...
    local variant=$1 binary
    shift
    printf '%s\0' "$@" | xargs -0 -P "$jobs" -I BINARY bash -c \
        'log=$1-$(basename "$2").log; timeout 300 "$2" >"$log" 2>&1; echo $? >"$log.status"' \
        run_units "$logs/$variant" BINARY
    for binary in "$@"; do count_unit "$variant" "$(basename "$binary")"; done
}

count_unit() { # VARIANT NAME
    local log=$logs/$1-$2.log good bad status
    status=$(<"$log.status")
    good=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    if [ "$status" != 0 ] && [ "${bad:-0}" = 0 ]; then bad=1; fi # sanitizer, crash, timeout
    count "${good:-0}" "${bad:-0}" 0
    [ "${bad:-0}" = 0 ] || { say "FAILED: $1 $2"; grep -vE '^\[ +(OK|RUN)' "$log" | tail -n 60; }
}

unit_tests() { # DIRECTORY: prints the unit tests that were built there
    find "$1/unit" -maxdepth 1 -name 'test_*' -type f -perm -u+x | sort
}

run_corpus() { # VARIANT REPLAY
    local name
    name=$(basename "$2")
    check "$1-corpus-$name" "$2" "tests/fuzz/corpus/$name"
}

run_perf() { # counts a pass, a failure or a skip; prints the log's last paragraph
    local log=$logs/perf-smoke.log
    tests/perf/run >"$log" 2>&1
    case $? in
    0) count 1 0 0 ;;
    77) count 0 0 1 ;;
    *) count 0 1 0; say "FAILED: perf-smoke; $log lists the functions" ;;
    esac
    tac "$log" | sed -n '/^$/q;p' | tac
}

run_fuzzers() { # SECONDS: counts a pass or a failure of each, or one skip without libFuzzer
    local log=$logs/fuzz.log bad status
    tests/fuzz/run.sh "$1" >"$log" 2>&1
    status=$?
    bad=$(grep -c '^FAILED ' "$log")
    if [ $status = 77 ]; then
        count 0 0 1
    elif [ $status -ne 0 ] && [ "$bad" = 0 ]; then # the build failed
        count 0 1 0
    else
        count "$(grep -c '^ok ' "$log")" "$bad" 0
    fi
    [ $status -eq 0 ] || grep -v '^ok ' "$log" | tail -n 70
}

# What no second try excuses: reports of sanitizers, broken invariants, programs that a signal ended.
FAULTS='ERROR: AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer|invariant broken|ended with -'
MOST_TRIED_AGAIN=5

number() { # LOG WORD: prints the number before WORD in the last line of a log of pytest
    tail -n 1 "$1" | grep -oE "[0-9]+ $2" | grep -oE '[0-9]+' || echo 0
}

run_pytest() { # LOG ARGUMENT...
    local log=$1
    shift
    (cd tests/integration && /usr/bin/python3 -m pytest -q -rsfE "$@") 2>&1 |
        tee "$log" | grep -vE '^\.|^$|^SKIPPED.*full'
}

# A few tests that failed beside all others run once more, alone, since a busy machine may have
# disturbed them. Those that pass then count as passed, and a line names each.
try_again() { # LOG ARGUMENT...: prints how many of the failed tests passed
    local log=$1 again=${1%.log}-again.log
    shift
    [ $(($(number "$log" error) + $(number "$log" failed))) -le $MOST_TRIED_AGAIN ] &&
        ! grep -qE "$FAULTS" "$log" || { echo 0; return; }
    run_pytest "$again" --last-failed --last-failed-no-failures none "$@" >&2
    grep -E '^(FAILED|ERROR) ' "$log" |
        sed -E 's/ - .*//; s/^(FAILED|ERROR)/== failed beside others, tried again alone:/' >&2
    number "$again" passed
}

run_integration() { # VARIANT BIN
    local log=$logs/$1-integration.log marks=(-m "not full") bad again=0
    [ -z "${FULL-}" ] || marks=(-m "")
    export ONEPORT_BIN="$PWD/$2" ONEPORT_VARIANT=$1
    run_pytest "$log" --cache-clear -n "$workers" "${marks[@]}"
    bad=$(($(number "$log" failed) + $(number "$log" error)))
    grep -qE '[0-9]+ passed' <<<"$(tail -n 1 "$log")" || bad=$((bad > 0 ? bad : 1))
    [ $bad = 0 ] || again=$(try_again "$log" "${marks[@]}")
    count "$(($(number "$log" passed) + again))" $((bad - again)) "$(number "$log" skipped)"
    unset ONEPORT_BIN ONEPORT_VARIANT
}

# The next variant is built while tests of this one run. Most tests wait for something, and niceness
# leaves the cores to the others.
ahead=
build_ahead() { # VARIANT TARGET
    nice -n 19 make --no-print-directory -j"$jobs" VARIANT="$1" WERROR=1 "$2" >"$logs/$1-ahead.log" 2>&1 &
    ahead=$!
}

await_ahead() { # ignores a failure: run_variant() builds the same again and reports it
    [ -z "$ahead" ] || wait "$ahead"
    ahead=
}

run_variant() { # VARIANT [NEXT TARGET]: the variant and the target to build meanwhile
    local variant=$1 bin=build/$1
    shift
    [ "$variant" != release ] || bin=build
    say "$variant: building"
    await_ahead
    local log=$logs/$variant-build.log
    if ! make --no-print-directory -j"$jobs" VARIANT="$variant" WERROR=1 check-bin >"$log" 2>&1; then
        count 0 1 0
        say "FAILED: build of $variant"
        tail -n 40 "$log"
        return
    fi
    count 1 0 0
    [ $# = 0 ] || build_ahead "$@"
    say "$variant: unit tests and corpora"
    mapfile -t units < <(unit_tests "build/$variant")
    run_units "$variant" "${units[@]}"
    for replay in "build/$variant"/replay/*; do [ -x "$replay" ] && run_corpus "$variant" "$replay"; done
    if [ "$variant" = release ]; then
        say "$variant: instructions per request"
        run_perf
    fi
    say "$variant: integration tests"
    run_integration "$variant" "$bin"
    if [ "$variant" = release ]; then
        check bench-smoke make --no-print-directory bench-smoke
    else
        check "$variant-soak-smoke" env ONEPORT_BIN="$bin" ONEPORT_VARIANT="$variant" tests/soak/run 8
    fi
}

run_clang() { # the unit tests built by clang
    say "clang: unit tests"
    local make=(make --no-print-directory -j"$jobs" CC=clang BUILD=build/clang WERROR=1)
    check clang-build "${make[@]}" unit-bin
    mapfile -t units < <(unit_tests build/clang)
    run_units clang "${units[@]}"
}

# The unit tests of TLS in a build with ipsec-mb, where that can be built.
run_ipsec_mb() {
    local make=(make --no-print-directory -j"$jobs" IPSEC_MB=yes WERROR=1)
    if ! "${make[@]}" -n build/release-ipsec-mb/unit/test_tls >/dev/null 2>&1; then
        count 0 0 1
        return
    fi
    say "ipsec-mb: unit tests"
    check ipsec-mb-build "${make[@]}" all unit-bin
    mapfile -t units < <(unit_tests build/release-ipsec-mb)
    run_units ipsec-mb "${units[@]}"
}

mkdir -p "$logs"
parts="banned spdx refs drawings dialect layers" # the parts of `make lint` that take no time
[ -z "${LINT-}" ] || parts=$(tests/lint.sh --list)
for part in $parts; do check "lint-$part" tests/lint.sh "$part"; done
check rules tests/rules
[ -z "${CLANG-}" ] || run_clang
while [ $# -gt 0 ]; do
    next=()
    if [ $# -gt 1 ]; then
        next=("$2" check-bin)
    elif [ "${FUZZ_SMOKE:-4}" != 0 ]; then
        next=(fuzz fuzzers)
    fi
    run_variant "$1" "${next[@]}"
    shift
done
await_ahead
run_ipsec_mb
if [ "${FUZZ_SMOKE:-4}" != 0 ]; then
    say "fuzzers, ${FUZZ_SMOKE:-4} s each"
    run_fuzzers "${FUZZ_SMOKE:-4}"
    say "fuzzer of a link, ${FUZZ_SMOKE:-4} s"
    check fuzz-live make --no-print-directory fuzz-live T="${FUZZ_SMOKE:-4}"
fi
say "took $((SECONDS - started)) s; logs in $logs"
echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
