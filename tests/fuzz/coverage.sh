#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Replays every corpus with gcc's counters and prints how many lines of each parser are reached.
# Fails if any parser has less than 95 %. Lines whose comment says that they "cannot be" do not
# count.
#   coverage.sh            prints the table
#   coverage.sh -v         also prints each line that is not reached
set -eu
cd "$(dirname "$0")/../.."
least=95 build=build/cov status=0
# FILE [FUNCTION...]: the named functions do not parse and are left out.
parsers=(
    h2mux/base/slice.c
    "h2mux/base/conf.c conf_read"
    h2mux/base/opt_parse.c
    h2mux/base/opt_file.c
    "h2mux/base/opt_table.c list_text opt_value_text"
    h2mux/http/fields.c
    h2mux/http/h1_scan.c
    h2mux/http/h1_head.c
    h2mux/http/h1_body.c
    h2mux/http/h1_write.c
    h2mux/http/url.c
    h2mux/http/ws.c
    src/http/route.c
    src/http/trust.c
    src/http/proxy_header.c
    src/http/translate.c
    src/names/base64url.c
    src/names/ticket.c
    "src/names/keyring.c keyring_check secret_create secret_read keyring_open"
    "src/worker/config.c find_layers"
    "src/worker/config_fold.c fold_state_dir"
    "src/tunnels/attach.c check_place"
    "src/tunnels/register.c new_owner draw_name answer_error"
    h2mux/io/client_hello.c
    "h2mux/io/proxy.c"
    "client/server/proxy_choice.c variable proxy_choice_load proxy_for"
    client/origin/origin_address.c
    client/origin/origin_words.c
    client/origin/rewrite.c
    client/origin/translate.c
    h2mux/http/upgrade.c
    "client/server/register.c register_cancel finish on_answer on_failed register_start"
    client/server/refusal.c
    "client/config.c add_file fits"
)

make --no-print-directory -j"$(nproc)" VARIANT=cov replays >/dev/null
find $build -name '*.gcda' -delete
for replay in $build/replay/*; do
    "$replay" "tests/fuzz/corpus/$(basename "$replay")" >/dev/null 2>$build/replay.log ||
        { cat $build/replay.log; exit 1; }
done

# FILE [FUNCTION...]: prints the lines of a file without those functions, as gcov counts them:
# "COUNT:NUMBER:TEXT".
lines_of() {
    gcov -t -o "$build/${1%.c}.o" "$1" | awk -v file="$1" -v without="${*:2}" '
        BEGIN { n = split(without, names, " ") }
        { text = $0; sub(/^[^:]*:[^:]*:/, "", text) }
        /:Source:/ { inside = $0 ~ (":Source:" file "$"); next }
        text ~ /^[a-z].*\(/ { for (i = 1; i <= n; i++) if (text ~ ("[ *]" names[i] "\\(")) skipping = 1 }
        inside && !skipping && $0 !~ /^ *-:/ && $0 !~ /^ *[^:]*: *0:/ && text !~ /cannot be/
        text ~ /^}/ { skipping = 0 }'
}

for parser in "${parsers[@]}"; do
    # shellcheck disable=SC2086
    lines=$(lines_of $parser)
    all=$(wc -l <<<"$lines") missed=$(grep -c '^ *#####' <<<"$lines" || true)
    percent=$((100 * (all - missed) / all))
    printf '%-28s %4d of %4d lines %4d %%\n' "${parser%% *}" $((all - missed)) "$all" "$percent"
    [ "${1-}" != -v ] || grep '^ *#####' <<<"$lines" || true
    [ "$percent" -ge $least ] || status=1
done
[ $status -eq 0 ] || echo "below $least %: a corpus has to reach more of its parser"
exit $status
