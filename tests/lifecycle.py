"""The lifecycle that is shipped, as tests of tickets take it."""

from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.config import CHECKOUT
from tocsin_server.desk.lifecycle import load_lifecycle

assert CHECKOUT is not None
SHIPPED = load_lifecycle(CHECKOUT / "processes")
COURSE = SHIPPED.of(TicketKind.INCIDENT)
