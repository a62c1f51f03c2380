# SPDX-License-Identifier: MIT
"""Holds the parts that tests are built from: programs, certificates, viewers, origins, faults."""
