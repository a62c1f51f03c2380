#!/usr/bin/env bash
# compile_commands.json for clang-tidy and editors: compile_commands.sh FLAGS FILE...
flags=${1//\"/\\\"}
shift
separator='['
for file in "$@"; do
    printf '%s\n{"directory":"%s","file":"%s","command":"cc %s -c %s"}' "$separator" "$PWD" "$file" "${flags//\\\"/\\\\\\\"}" "$file"
    separator=','
done
printf '\n]\n'
