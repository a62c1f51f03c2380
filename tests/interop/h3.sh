#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a viewer of HTTP/3 against oneport behind Caddy. The viewer is Chromium, because Debian's curl
# has no HTTP/3. Without Caddy or Chromium the script says so and counts as skipped.
set -u
cd "$(dirname "$0")/../.."

skip() {
    echo "HTTP/3 not tried: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

for program in caddy chromium chromedriver; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
exec env PYTHONPATH=tests /usr/bin/python3 tests/interop/h3.py
