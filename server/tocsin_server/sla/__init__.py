"""Service levels: calendars, what contracts promise, and the clock that says how each promise stands. Pure."""
