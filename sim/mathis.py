"""How fast one TCP connection can be on a path with losses.

Source: M. Mathis, J. Semke, J. Mahdavi, T. Ott, The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm,
ACM SIGCOMM Computer Communication Review 27(3), 1997, eq. 3: bandwidth = MSS / RTT * C / sqrt(p). Here C = sqrt(3/2),
for periodic losses and an acknowledgement of every segment (delayed acknowledgements would make it sqrt(3/4)).
"""

from __future__ import annotations

import math


def rate_limit(segment_bytes: int, round_trip_s: float, loss: float) -> int | None:
    """Return the highest rate in congestion avoidance, in whole bits per second, at least 1.

    None, no limit, where no packet is lost or the round trip takes no time.
    """
    if loss == 0 or round_trip_s == 0:
        return None
    return max(1, round(8 * segment_bytes / round_trip_s * math.sqrt(1.5 / loss)))
