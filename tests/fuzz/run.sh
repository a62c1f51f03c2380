#!/usr/bin/env bash
# Runs every fuzzer on its corpus for some seconds each: run.sh SECONDS. A crash leaves its input here and fails.
set -u
cd "$(dirname "$0")/../.."
seconds=${1:-60} out=build/fuzz status=0
flags=(-std=gnu11 -D_GNU_SOURCE -I. -O1 -g -DONEPORT_VERSION='"fuzz"' -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined)
packages=(libnghttp2 libssl libcrypto libevent_core libevent_pthreads libcjson)
mkdir -p "$out"
server=$(ls src/*.c | grep -v src/main.c)
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c) name=${name#fuzz_}
    echo "== $name"
    # shellcheck disable=SC2046,SC2086
    clang "${flags[@]}" $(pkg-config --cflags "${packages[@]}") "$source" h2mux/*.c h2mux/base/*.c $server \
        -o "$out/$name" $(pkg-config --libs "${packages[@]}") -pthread || exit 1
    mkdir -p "$out/corpus-$name"
    "$out/$name" -max_total_time="$seconds" -print_final_stats=0 -verbosity=0 -artifact_prefix="$out/crash-$name-" \
        "$out/corpus-$name" "tests/fuzz/corpus/$name" || status=1
done
exit $status
