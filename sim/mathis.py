"""How fast one TCP connection can be on a path with losses.

Source: M. Mathis, J. Semke, J. Mahdavi, T. Ott, The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm,
ACM SIGCOMM Computer Communication Review 27(3), 1997, eq. 3: bandwidth = MSS / RTT * C / sqrt(p). Here C = sqrt(3/2),
for periodic losses and an acknowledgement of every segment (delayed acknowledgements would make it sqrt(3/4)).

That bandwidth counts the payload of the packets that the window lets go, MSS bytes each: W packets in a round trip,
where W rises from half its peak to it between two losses. A link carries their headers too, so its rate is capped at
(MSS + header) / MSS of it. Packets that are lost, and those that are sent in their place, are among what the window
lets go, and take their time on the link beneath the cap; so there is no further factor 1 / (1 - p). The goodput is then
1 - p of the formula, which knows p only as small: it takes 1 / p packets between two losses, and not one more or less.
"""

from __future__ import annotations

import math


def rate_limit(segment_bytes: int, header_bytes: int, round_trip_s: float, loss: float) -> int | None:
    """Return the highest rate in congestion avoidance, with headers, in whole bits per second, at least 1.

    None, no limit, where no packet is lost or the round trip takes no time.
    """
    if loss == 0 or round_trip_s == 0:
        return None
    return max(1, round(8 * (segment_bytes + header_bytes) / round_trip_s * math.sqrt(1.5 / loss)))
