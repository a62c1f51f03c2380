# SPDX-License-Identifier: MIT
"""What the integration tests are built from: programs under test, certificates, viewers, origins,
faults."""
