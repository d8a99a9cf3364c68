"""The parameters that routes take, with their bounds: what is outside is refused with the parameter's name.

`state` and `query` are words of the framework's own for arguments, so they come in as `which` and `promql`;
what is called `which` outside comes in as `shown`.
"""

from datetime import datetime
from typing import Annotated, Literal

from litestar.params import PathParameter, QueryParameter

from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.query import MAX_ROWS
from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.alerts.durations import parse_duration
from tocsin_server.clock import milliseconds
from tocsin_server.errors import Unprocessable

MAX_ID = (1 << 63) - 1
"""More than that no database holds."""
_MAX_WORD = 200
_YEAR_MS = 366 * 86_400_000
_MONTH_MINUTES = 31 * 24 * 60

Id = Annotated[int, PathParameter(ge=0, le=MAX_ID)]
HostId = Annotated[int | None, QueryParameter(ge=0, le=MAX_ID)]
Slug = Annotated[str | None, QueryParameter(max_length=_MAX_WORD)]
SlugInPath = Annotated[str, PathParameter(max_length=_MAX_WORD)]
Version = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID)]
Flag = Annotated[bool, QueryParameter()]
Word = Annotated[str | None, QueryParameter(max_length=_MAX_WORD)]
Time = Annotated[str, QueryParameter(min_length=1, max_length=_MAX_WORD)]
StepSeconds = Annotated[float, QueryParameter(ge=1, le=31_536_000)]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)]
Minutes = Annotated[int, QueryParameter(ge=1, le=_MONTH_MINUTES)]
Kind = Annotated[TicketKind | None, QueryParameter()]
Priorities = Annotated[list[int] | None, QueryParameter(max_items=4)]
Moment = Annotated[datetime | None, QueryParameter()]
Due = Annotated[Literal["breached"] | None, QueryParameter()]
Within = Annotated[str | None, QueryParameter(max_length=_MAX_WORD)]
TicketOrder = Annotated[Literal["urgency", "due", "newest"] | None, QueryParameter()]
TicketStates = Annotated[Literal["open", "solved", "all"], QueryParameter(name="state")]
AlertStates = Annotated[Literal["active", "all"], QueryParameter(name="state")]
SilencesShown = Annotated[Literal["active", "all"], QueryParameter(name="which")]
VitalName = Annotated[Literal["cpu", "memory", "filesystem", "load", "receive", "transmit"], QueryParameter()]
Query = Annotated[str, QueryParameter(name="query", min_length=1)]
"""PromQL; how long it may be is the language's to say."""
Rows = Annotated[int, QueryParameter(ge=1, le=MAX_ROWS)]


def span(what: str, text: str) -> int:
    """The milliseconds of a duration; raises `Unprocessable` where it is none, or longer than a year."""
    try:
        length_ms = parse_duration(text)
    except ValueError as error:
        raise Unprocessable(f"{what}: {error}", remedy="write 30m, 4h or 2d") from error
    if length_ms > _YEAR_MS:
        raise Unprocessable(f"{what} {text} is longer than a year", remedy="write 30m, 4h or 2d")
    return length_ms


def instant(what: str, at: datetime) -> int:
    """The milliseconds of a time that a body names; raises `Unprocessable` where nobody can know when it is."""
    if at.tzinfo is None:
        raise Unprocessable(
            f"{what} {at.isoformat()} has no time zone", remedy="write it as 2026-11-26T22:00:00+01:00"
        )
    return milliseconds(at)
