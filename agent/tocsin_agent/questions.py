"""Questions of people at this host, before they are errands: whose, how many, and with which key.

A question keeps its key for ten minutes. Asked again after a failure it goes out with the same key, so that
one which did arrive opens no second ticket; asked again after an answer, it gets that answer.
"""

import os
from collections import deque
from collections.abc import Callable

from tocsin_agent.errands import Errand
from tocsin_agent.errors import NotAsked
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS, VERSION

PATIENCE_S = 20.0
KEPT_S = 600.0
MOST_KEPT = 256
NEW_ALLOWED, TRIES_ALLOWED = 10, 30
AN_HOUR_S = 3600.0
_MOST_PEOPLE = 1024


class Allowance:
    """How often each user may do something within an hour; of very many, the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: dict[int, deque[float]] = {}

    def wait_s(self, uid: int, now_s: float) -> float:
        """How long the user has to wait; 0 where it may be now."""
        times = self._times.get(uid)
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + AN_HOUR_S - now_s)

    def take(self, uid: int, now_s: float) -> None:
        """It is done now."""
        times = self._times.pop(uid, None) or deque(maxlen=self._most)
        times.append(now_s)
        self._times[uid] = times
        if len(self._times) > _MOST_PEOPLE:
            del self._times[next(iter(self._times))]


class Questions:
    """Makes errands of questions; `bring` hands them on. One thread asks."""

    def __init__(
        self,
        bring: Callable[[Errand], None],
        *,
        settled: Callable[[], None],
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._bring = bring
        self._settled = settled
        self._monotonic = monotonic
        self._now_ms = now_ms
        self._kept: dict[tuple[int, str], Errand] = {}
        self._new, self._tries = Allowance(NEW_ALLOWED), Allowance(TRIES_ALLOWED)

    def ask(self, uid: int, who: str, text: str) -> Errand:
        """The errand of this question, settled or under way; raises `NotAsked`."""
        now_s = self._monotonic()
        self._forget(now_s)
        text = _checked(text)
        known = self._kept.get((uid, text))
        if known is not None and (known.ticket or (not known.is_settled and now_s < known.until_s)):
            return known
        _refuse_haste(self._tries.wait_s(uid, now_s), TRIES_ALLOWED)
        self._tries.take(uid, now_s)
        if known is None:
            _refuse_haste(self._new.wait_s(uid, now_s), NEW_ALLOWED)
            self._new.take(uid, now_s)
        errand = Errand(
            {
                "v": VERSION,
                "key": os.urandom(16) if known is None else known.said["key"],
                "who": who,
                "text": text,
                "now_ms": self._now_ms(),
            },
            until_s=now_s + PATIENCE_S,
            settled=self._settled,
        )
        self._kept[uid, text] = errand
        self._bring(errand)
        return errand

    def _forget(self, now_s: float) -> None:
        asked_s = {of: errand.until_s - PATIENCE_S for of, errand in self._kept.items()}
        for of in [of for of, at_s in asked_s.items() if at_s <= now_s - KEPT_S]:
            del self._kept[of]
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]


def _checked(text: str) -> str:
    """What the server would refuse needs no journey."""
    text = text.strip()
    if not text:
        raise NotAsked('the question is empty: say what is wrong, such as tocsin-agent ask "the printer jams"')
    if len(text) > MAX_QUESTION_CHARACTERS:
        raise NotAsked(f"the question has {len(text)} characters: say it in at most {MAX_QUESTION_CHARACTERS}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotAsked("the question is not text that can be sent: write it anew") from error
    return text


def _refuse_haste(wait_s: float, allowed: int) -> None:
    if wait_s > 0:
        raise NotAsked(
            f"you have asked {allowed} times within an hour:"
            f" wait {-(-wait_s // 60):.0f} min, or call your service desk"
        )
