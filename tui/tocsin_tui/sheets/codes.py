"""What is said while a device for one-time codes is enrolled."""

from tocsin_protocol.totp import RecoveryCodes, TotpOffer
from tocsin_tui.format import EMPTY, Line, Tone, dim, line

ASKED = [line("A device that makes one-time codes is enrolled by your password and its first code.")]
_GROUP = 4
_IN_A_ROW = 2


def offered(offer: TotpOffer) -> list[Line]:
    """The secret in groups, as one types it, and as authenticators read it."""
    groups = [offer.secret[at : at + _GROUP] for at in range(0, len(offer.secret), _GROUP)]
    return [
        line("Give this to your authenticator (time-based, six digits), and type the code that it shows."),
        EMPTY,
        line("  ", (" ".join(groups), Tone.STRONG)),
        EMPTY,
        line(dim(offer.uri)),
    ]


def recovery(given: RecoveryCodes) -> list[Line]:
    """The recovery codes, to be copied by hand."""
    rows = [given.codes[at : at + _IN_A_ROW] for at in range(0, len(given.codes), _IN_A_ROW)]
    return [
        line("It is enrolled. Each of these is good once where a code is asked for and the device is lost."),
        line(("Write them down: they are not shown again.", Tone.WARN)),
        EMPTY,
        *(line("  ", ("    ".join(row), Tone.STRONG)) for row in rows),
    ]
