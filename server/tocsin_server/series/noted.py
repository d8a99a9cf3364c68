"""What the server notes of a host beside its `up`. No host sends it, and the head alone has it: unlike `up` it
cannot be drawn again from what was sent."""

CLONED = "tocsin_agent_cloned"
REFUSED = "tocsin_host_series_refused"
SKEW = "tocsin_clock_skew_seconds"
NOTED = frozenset({CLONED, REFUSED, SKEW})
