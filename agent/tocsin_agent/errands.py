"""Errands: questions of people at this host that the push takes to the server, before its next push.

The push owns the session and the connection, so it goes; whoever brings an errand waits for it to be settled.
An errand is tried again while there is time, with the key that it has: a question that arrived without its
answer is asked once.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tocsin_agent.errors import NoDelivery, Refused, Unreachable

TRY_AGAIN_S = 1.0
_TRY_LATER = frozenset({408, 429})


class Errand:
    """One question. Settled, it has a ticket's number, or the words why not."""

    def __init__(self, said: Mapping[str, object], *, until_s: float, settled: Callable[[], None]) -> None:
        self.said = said
        self.until_s = until_s
        """By the monotonic clock: nobody waits for it any longer."""
        self.ticket = 0
        self.words = ""
        self._settled = settled

    @property
    def is_settled(self) -> bool:
        """Whether it has come to an end."""
        return bool(self.ticket or self.words)

    def settle(self, *, ticket: int = 0, words: str = "") -> None:
        """It is open as this ticket, or it is not for this reason."""
        self.ticket, self.words = ticket, words
        self._settled()


class Errands:
    """Those that wait; `bring` is called by any thread, `run` by the one that pushes."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._brought: deque[Errand] = deque()
        self._not_before_s = 0.0

    def bring(self, errand: Errand) -> None:
        """Take it on."""
        self._brought.append(errand)
        self._not_before_s = 0.0

    def run(self, ask: Callable[[Mapping[str, object]], Mapping[str, Any]]) -> float | None:
        """Try each that is due; the seconds until some are tried again, or None where none is left."""
        remaining_s = self._not_before_s - self._monotonic()
        if self._brought and remaining_s > 0:
            return remaining_s
        kept = [errand for errand in self._taken() if not self._try(errand, ask)]
        self._brought.extend(kept)
        if not kept:
            return None
        self._not_before_s = self._monotonic() + TRY_AGAIN_S
        return TRY_AGAIN_S

    def _taken(self) -> list[Errand]:
        return [self._brought.popleft() for _ in range(len(self._brought))]

    def _try(self, errand: Errand, ask: Callable[[Mapping[str, object]], Mapping[str, Any]]) -> bool:
        """Whether the errand is at its end."""
        if self._monotonic() >= errand.until_s:
            return True
        try:
            errand.settle(ticket=_number(ask(errand.said)))
        except NoDelivery as error:
            asked_s = error.retry_after_s if isinstance(error, Refused) else 0.0
            again_s = self._monotonic() + max(TRY_AGAIN_S, asked_s)
            if may_pass(error) and again_s < errand.until_s:
                return False
            errand.settle(words=words_of(error))
        return True


def may_pass(error: NoDelivery) -> bool:
    """Whether the same question may be answered a little later."""
    if isinstance(error, Refused):
        return error.status in _TRY_LATER or error.status >= 500
    return isinstance(error, Unreachable)


def words_of(error: NoDelivery) -> str:
    """What went wrong, and what a person can do about it."""
    if isinstance(error, Refused) and not may_pass(error):
        return f"the server refuses the question: {error}"
    if isinstance(error, Refused) and error.status == 429:
        return f"the server takes no more questions now: {error}"
    return f"the server cannot be reached now ({error}): try again in a minute, or call your service desk"


def _number(answer: Mapping[str, Any]) -> int:
    ticket = answer.get("ticket")
    if not isinstance(ticket, int) or isinstance(ticket, bool) or ticket <= 0:
        raise Unreachable("the server's answer names no ticket")
    return ticket
