"""Whether two hosts speak with one agent's key: a copied disk, template or state folder gives them the same.

Of each verified push it is known in which session it came, and in which run of the agent that session was
agreed. A run has ended before the next one of its host begins, and within a run a session that was replaced is
never used again. So a *voice*, a run or a session, that has lost the word to a newer one is not heard again,
but for one push that was long on its way, or because a machine was set back to a snapshot of its memory:

    A A A B B B      a restart; a host that was restored from a snapshot of its disk
    A A B A B B      a restart, and a late push of the first run
    A B A B A        two voices that both go on: a clone

Proof is that a voice takes the word back from a newer one twice within a few intervals. Only pushes count: a
hello can be repeated by whoever has recorded it, a push of a session only by who holds its key.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from tocsin_server.ingest.origin import NOWHERE, Origin

RETURNS = 2
WITHIN_PUSHES = 6
"""Intervals in which they have to be: two that both push take one each for a return."""
REMEMBER_PUSHES = 60
"""Intervals for which a voice that has lost the word is remembered."""
MOST_VOICES = 1024
"""That are remembered of one agent: enough for the copies of one template."""


class Heard(NamedTuple):
    """A voice that has spoken; until when, unless it has the word."""

    voice: Hashable
    until_s: float


class Return(NamedTuple):
    """A voice has taken the word back from a newer one."""

    voice: Hashable
    at_s: float
    origin: Origin
    newer: Origin


@dataclass(frozen=True, slots=True)
class Voices:
    """Who has spoken for one agent of late. Seconds are those of a monotonic clock."""

    known: tuple[Heard, ...] = ()
    """In the order in which they were heard first."""
    speaker: Hashable = None
    origin: Origin = NOWHERE
    """The speaker's."""
    returns: tuple[Return, ...] = ()

    def after(self, voice: Hashable, origin: Origin, *, now_s: float, interval_s: float) -> "Voices":
        """Once this voice has spoken; the same where it has the word already."""
        if voice == self.speaker:
            return self
        known = self._remembered(now_s, now_s - REMEMBER_PUSHES * interval_s)
        order = [heard.voice for heard in known]
        if voice not in order:
            return Voices((*known[1 - MOST_VOICES :], Heard(voice, now_s)), voice, origin, self.returns)
        if order.index(voice) > order.index(self.speaker):
            return Voices(known, voice, origin, self.returns)
        since_s = now_s - WITHIN_PUSHES * interval_s
        of_late = [each for each in self.returns if each.at_s > since_s][-MOST_VOICES:]
        return Voices(known, voice, origin, (*of_late, Return(voice, now_s, origin, self.origin)))

    @property
    def clones(self) -> tuple[Origin, ...]:
        """Those that provably speak with one key, each once; nobody where nothing is proven."""
        proof = [each for each in self.returns if each.voice == self.returns[-1].voice]
        if len(proof) < RETURNS:
            return ()
        return tuple(dict.fromkeys(origin for each in proof for origin in (each.origin, each.newer)))

    def _remembered(self, now_s: float, since_s: float) -> tuple[Heard, ...]:
        """Those known, less the ones that have not spoken since then; the speaker has until now."""
        heard = (each._replace(until_s=now_s) if each.voice == self.speaker else each for each in self.known)
        return tuple(each for each in heard if each.until_s > since_s)


NOBODY = Voices()


@dataclass(frozen=True, slots=True)
class Conversation:
    """An agent's voices by run, and by session, for copies of one run."""

    runs: Voices = NOBODY
    sessions: Voices = NOBODY

    def after(self, session: bytes, origin: Origin, *, now_s: float, interval_s: float) -> "Conversation":
        """Once a push of this session has been verified; the same where nobody else has spoken."""
        runs = self.runs.after((origin.epoch, origin.run), origin, now_s=now_s, interval_s=interval_s)
        sessions = self.sessions.after(session, origin, now_s=now_s, interval_s=interval_s)
        if runs is self.runs and sessions is self.sessions:
            return self
        return Conversation(runs, sessions)

    @property
    def clones(self) -> tuple[Origin, ...]:
        """Those that provably speak with one key."""
        return self.runs.clones or self.sessions.clones
