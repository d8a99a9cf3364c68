"""The lifecycle and the decision tables that are shipped, as tests of tickets take them."""

from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.config import CHECKOUT
from tocsin_server.decisions.folder import Tables, always, load_for_desk
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.desk.lifecycle import load_lifecycle

assert CHECKOUT is not None
SHIPPED = load_lifecycle(CHECKOUT / "processes")
COURSE = SHIPPED.of(TicketKind.INCIDENT)
TABLES = Tables(load_for_desk(CHECKOUT / "decisions"), is_open=always)


def selecting(table: bytes) -> Tables:
    """The shipped tables, but for the one that says as what tickets are clocked."""
    return Tables({**TABLES, "sla_selection": read_table("sla_selection.csv", table)}, is_open=always)
