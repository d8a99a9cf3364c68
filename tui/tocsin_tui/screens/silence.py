"""A silence that is made or extended: which alerts, how long, and why."""

from collections.abc import Awaitable, Mapping
from typing import ClassVar

from tocsin_tui.format import clock, dim, strong
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.silence import Proposal
from tocsin_tui.widgets.paint import Painter


class SilenceScreen(Form):
    """The form of a proposal."""

    FIELDS: ClassVar[Mapping[str, str]] = {"matchers": "alerts", "length": "for", "comment": "because"}
    LONG: ClassVar[frozenset[str]] = frozenset({"matchers"})
    FIRST: ClassVar[str] = "length"

    def __init__(self, session: Session, painter: Painter, proposal: Proposal) -> None:
        title = (strong(proposal.title), dim(f": {proposal.about}"))
        super().__init__(session, painter, title=title, draft=proposal.name)
        self._proposal = proposal

    def proposed(self, name: str) -> str:
        text: str = getattr(self._proposal, name)
        return text

    def told(self) -> str:
        now = self.session.now()
        until = clock(self._proposal.ends_at(self.typed("length"), now), now)
        return f"until {until} · enter {self._proposal.verb}"

    def sent(self) -> Awaitable[bool]:
        typed = {name: self.typed(name) for name in self.FIELDS}
        return self.session.acts.silence(self._proposal.wish(**typed, now=self.session.now()))
