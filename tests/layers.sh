#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tree is the architecture: fails on an #include, or a word, that crosses a layer (see README.md, "How it works").
#   src/ ──▶ h2mux/ ◀── client/        h2mux/*.c ──▶ h2mux/base/ ──▶ libc, libevent
set -u
cd "$(dirname "$0")/.."
status=0

# forbid FOLDER PATTERN SENTENCE [GREP OPTIONS]
forbid() {
    local found
    found=$(grep -rnE "$2" "$1" --include='*.[ch]' "${@:4}") || return 0
    echo "$3:"
    echo "$found" | sed 's/^/  /'
    status=1
}

include='^#include ["<]'
forbid src "${include}client/" "src/ includes client/"
forbid client "${include}src/" "client/ includes src/"
forbid h2mux "${include}(src|client)/" "h2mux/ includes a program"
forbid h2mux/base "${include}(h2mux/(io|http|h2)/|openssl|nghttp2)" "h2mux/base/ includes what stands above it"
forbid h2mux '\b(tunnel|ticket|origin)s?\b([^-]|$)' "h2mux/ names what it must not know" -i
for folder in src client; do
    forbid $folder "${include}nghttp2" "$folder/ includes nghttp2 (session and stream are h2mux's)"
    forbid $folder "${include}h2mux/[a-z0-9_/]*_int\.h" "$folder/ includes an internal header"
done
for file in h2mux/*/*.[ch]; do
    case $file in
    h2mux/h2/*) ;;
    *) forbid "$file" "${include}nghttp2" "nghttp2 outside session and stream" ;;
    esac
done
exit $status
