"""Something is to wait: for what, until when at most, and a note."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from tocsin_tui.format import Span, clock
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.waiting import reason_of, until_of
from tocsin_tui.widgets.paint import Painter


class WaitScreen(Form):
    """The form; `wait` takes `reason`, `until` and `text`, and says whether it has worked."""

    FIELDS: ClassVar[Mapping[str, str]] = {"reason": "for", "length": "at most", "note": "note"}
    FIRST: ClassVar[str] = "reason"

    def __init__(
        self,
        session: Session,
        painter: Painter,
        *,
        title: tuple[Span, ...],
        draft: str,
        wait: Callable[..., Awaitable[bool]],
    ) -> None:
        super().__init__(session, painter, title=title, draft=draft)
        self._wait = wait
        self._reasons = session.server.waits_for if session.server else []

    def proposed(self, name: str) -> str:
        return next(iter(self._reasons), "") if name == "reason" else ""

    def told(self) -> str:
        now = self.session.now()
        reason = reason_of(self.typed("reason"), self._reasons)
        until = until_of(self.typed("length"), now)
        limit = "until somebody goes on with it" if until is None else f"until {clock(until, now)} at most"
        return f"for {reason}, {limit} · enter sends"

    def sent(self) -> Awaitable[bool]:
        reason = reason_of(self.typed("reason"), self._reasons)
        until = until_of(self.typed("length"), self.session.now())
        return self._wait(reason=reason, until=until, text=self.typed("note").strip())
