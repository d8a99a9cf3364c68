"""What can go wrong with a fleet; each message says what, where and how to mend it."""


class FleetError(Exception):
    """It cannot start, or not go on."""


class Unreachable(FleetError):
    """No answer came: nothing is known of what was asked."""


class Untrusted(FleetError):
    """Who answered is not the server of the invitation."""
