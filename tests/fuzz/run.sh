#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs fuzzers on their corpora.
#   run.sh SECONDS [NAME...]    runs these fuzzers, or all of them, for SECONDS each
#   FUZZ_JOBS=1                 the number that run at a time; the default is the number of cores
# Prints a line for each fuzzer; its output is in build/fuzz/log-NAME. New inputs are kept in
# build/fuzz/corpus-NAME. A crash fails, and its input is kept as build/fuzz/crash-NAME-*. The exit
# code is 77 where clang or its libFuzzer is missing; a line then says so.
set -u
cd "$(dirname "$0")/../.."
out=build/fuzz jobs=${FUZZ_JOBS:-$(nproc)}

run_one() { # NAME SECONDS
    local log=$out/log-$1 seconds=$2 status
    mkdir -p "$out/corpus-$1"
    "$out/fuzz/$1" -max_total_time="$seconds" -timeout=10 -dict=tests/fuzz/http.dict -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$out/crash-$1-" "$out/corpus-$1" "tests/fuzz/corpus/$1" >"$log" 2>&1
    status=$?
    local runs
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ $status -eq 0 ]; then
        printf 'ok      %-20s %6d s %12d executions\n' "$1" "$seconds" "$runs"
    else
        printf 'FAILED  %-20s %6d s %12d executions; the end of %s:\n' "$1" "$seconds" "${runs:-0}" "$log"
        grep -av '^#' "$log" | tail -n 60 | cat -v
    fi
    return $status
}

if [ "${1-}" = --one ]; then
    run_one "$3" "$2"
    exit
fi

seconds=${1:-60}
shift
mkdir -p "$out"
probe='int LLVMFuzzerTestOneInput(const char *d, long n);
int LLVMFuzzerTestOneInput(const char *d, long n) { return 0; }'
if ! echo "$probe" | clang -fsanitize=fuzzer,address -x c - -o "$out/probe" 2>"$out/probe.log"; then
    echo "fuzzers not run: clang with libFuzzer is missing (Debian: clang, libclang-rt-14-dev)"
    exit 77
fi
names=("$@")
[ $# -gt 0 ] || names=($(basename -a tests/fuzz/fuzz_*.c | sed 's/^fuzz_//; s/\.c$//'))
make --no-print-directory -j"$jobs" VARIANT=fuzz "${names[@]/#/$out/fuzz/}" >"$out/build.log" 2>&1 ||
    { tail -n 40 "$out/build.log"; exit 1; }
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -n 1 "$0" --one "$seconds"
