# SPDX-License-Identifier: MIT
"""The parts that tests are built from: programs under test, certificates, viewers, origins,
faults."""
