#!/bin/sh
# SPDX-License-Identifier: MIT
# Lets the old clients of today share: `wave share` 1.8, and what lt, go-localtunnel and
# Wave 0.26 say to a refusal.
# The last line is: N passed, N failed, N skipped.
set -eu
PYTHONPATH=tests exec /usr/bin/python3 tests/interop/old_clients.py build/interop/old_clients
