# SPDX-License-Identifier: MIT
"""How much of everything: the full benchmark, and a smoke run that only shows that every part of it
works."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
    warm_s: float  # load before a measurement, so that pools and windows have grown
    load_s: float  # length of each measured load
    latency_rate: int  # requests a second
    viewers: int  # WebSockets that every path gets
    crowd: int  # WebSockets that only paths of one link get
    echo_rate: int  # messages a second
    tunnels: int
    links: int  # of each server where one worker is compared to two
    calm_rate: int  # requests a second there
    # of loads that are compared, taken in turn so that the machine's moods meet all of them; and
    # of which a median is taken
    slices: int
    idle_s: float  # must be longer than the server's keepalive to count it
    line_mb: int  # of one transfer over the long line
    line_rtt_ms: int
    line_kbit: int
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
    scale=(10,),
    scale_s=0.2,
)
