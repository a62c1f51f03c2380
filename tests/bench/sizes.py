# SPDX-License-Identifier: MIT
"""Sets the sizes of all measurements: those of the full benchmark, and those of a smoke run that
only shows that every part works."""

import dataclasses


# Every line that `pages` is about.
ALL_LINES = tuple(
    f"{rtt}x{mbit}{loss}"
    for loss in ("", "x0.5")
    for mbit in (100, 20)
    for rtt in (20, 50, 100, 200)
)


@dataclasses.dataclass(frozen=True)
class Sizes:
    warm_s: float  # seconds of load before a measurement, to let pools and windows grow
    load_s: float  # seconds of each measured load
    latency_rate: int  # requests a second
    viewers: int  # WebSockets on every path
    crowd: int  # WebSockets on paths of one link
    echo_rate: int  # messages a second
    tunnels: int
    links: int  # links of each server when one worker is compared with two
    calm_rate: int  # requests a second in that comparison
    # Loads that are compared are cut into so many slices and run in turn, so that a disturbance of
    # the machine affects all of them. Other loads are repeated so often for a median.
    slices: int
    idle_s: float  # longer than the server's keepalive interval, so that keepalives count
    line_mb: int  # megabytes of one transfer over the long line
    line_rtt_ms: int
    line_kbit: int
    lines: tuple  # of packets: RTT-MSxMBIT or RTT-MSxMBITxLOSS-PERCENT
    idles: tuple  # seconds
    scale: tuple  # numbers of streams and of tunnels
    scale_s: float


FULL = Sizes(
    warm_s=1,
    load_s=4,
    latency_rate=4000,
    viewers=2000,
    crowd=10000,
    echo_rate=500,
    tunnels=10000,
    links=400,
    calm_rate=8000,
    slices=4,
    idle_s=30,
    line_mb=20,
    line_rtt_ms=150,
    line_kbit=20000,
    lines=("100x100",),
    idles=(1, 30),
    scale=(1, 10, 100, 1000, 10000),
    scale_s=3,
)
SMOKE = Sizes(
    warm_s=0.1,
    load_s=0.2,
    latency_rate=500,
    viewers=20,
    crowd=40,
    echo_rate=100,
    tunnels=20,
    links=40,
    calm_rate=500,
    slices=1,
    idle_s=0.2,
    line_mb=1,
    line_rtt_ms=20,
    line_kbit=20000,
    lines=("20x100",),
    idles=(0.3,),
    scale=(10,),
    scale_s=0.2,
)
