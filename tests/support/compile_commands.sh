#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints compile_commands.json for clang-tidy and editors: compile_commands.sh FLAG... -- FILE...
quoted() { local text=${1//\\/\\\\}; printf '"%s",' "${text//\"/\\\"}"; }

flags=
while [ "$1" != -- ]; do
    flags+=$(quoted "$1")
    shift
done
shift
separator='['
for file in "$@"; do
    printf '%s\n{"directory":%s"file":"%s","arguments":["cc",%s"-c","%s"]}' \
        "$separator" "$(quoted "$PWD")" "$file" "$flags" "$file"
    separator=','
done
printf '\n]\n'
