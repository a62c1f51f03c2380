# SPDX-License-Identifier: MIT
"""Fuzzes a link of a running server. See tests/fuzz/README.md."""
