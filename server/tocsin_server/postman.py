"""The mail thread: it takes the letters that are due and gives them to the mail server, one session at a time.

Nobody waits for it: it claims letters through the writer, talks to the mail server by itself, and writes down
what has become of them. A mail server that is away costs an attempt of each letter, and the pauses grow.
"""

import random
import threading
from collections.abc import Sequence
from functools import partial

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_server.clock import Clock
from tocsin_server.config import MailConfig
from tocsin_server.desk.outbox import Letter, Outcome, claim, resume, settle, sweep, waiting
from tocsin_server.errors import Unavailable
from tocsin_server.health import Health
from tocsin_server.mail.message import Unwritable, message
from tocsin_server.mail.smtp import NoMailServer, Refused, connected, give
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()

LOOK_EVERY_S = 1.0


class Postman:
    """The thread. Where the settings name no mail server there is nothing to do, and it is not started."""

    def __init__(self, storage: Storage, settings: MailConfig, *, health: Health, clock: Clock) -> None:
        self._storage = storage
        self._settings = settings
        self._health = health
        self._clock = clock
        self._chance = random.Random()  # noqa: S311 - it spreads attempts and keeps no secret
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-mail", daemon=True)
        self._away = ""
        """Why the mail server could not be reached the last time."""

    @property
    def problems(self) -> list[RuleProblem]:
        """That notices wait for the mail server."""
        if not self._away:
            return []
        return [
            RuleProblem(file="server.toml", reason=f"notices cannot be sent and are tried again: {self._away}")
        ]

    @property
    def goes_out(self) -> bool:
        """Whether there is a mail server."""
        return bool(self._settings.host)

    def start(self) -> None:
        if self.goes_out:
            self._storage.write(lambda session: resume(session, self._clock.now_ms()))
            self._thread.start()

    def stop(self) -> None:
        """End after the letter that is on its way."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def sweep(self) -> None:
        """Forget old notices. A job comes here every so often."""
        self._storage.write(lambda session: sweep(session, self._clock.now_ms()))

    def deliver(self) -> None:
        """Send what is due now."""
        waits = self._storage.read(waiting)
        if waits.is_due(self._clock.now_ms()):  # the writer is not troubled each second for nothing
            letters = self._storage.write(lambda session: claim(session, self._clock.now_ms()))
            if letters:
                self._carry(letters)
            waits = self._storage.read(waiting)
        self._health.notices_waiting.set(waits.notices)

    def _carry(self, letters: Sequence[Letter]) -> None:
        """One after the other, each settled before the next: a kill leaves one of which nobody knows."""
        left = list(letters)
        try:
            with connected(self._settings) as session:
                self._say_reached()
                while left and not self._ending.is_set():
                    outcome = self._given(partial(give, session), left[0])
                    del left[0]
                    self._settle([outcome])
        except NoMailServer as away:
            self._say_away(away)
            self._settle([Outcome(letter, str(away)) for letter in left])

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        done = self._storage.write(
            lambda session: settle(session, outcomes, self._clock.now_ms(), self._chance)
        )
        for outcome, count in done._asdict().items():
            self._health.notices.labels(outcome).inc(count)

    def _given(self, give_it: "partial[str]", letter: Letter) -> Outcome:
        sender = self._settings.sender
        try:
            made = message(
                key=f"{letter.key}/{letter.made_ms}",
                sender=sender,
                to=letter.to,
                subject=letter.subject,
                text=letter.text,
                now_ms=self._clock.now_ms(),
                thread=letter.thread,
            )
            give_it(made, sender=sender, to=letter.to)
        except Unwritable as error:
            return Outcome(letter, str(error), is_final=True)
        except Refused as refused:
            return Outcome(letter, str(refused), is_final=refused.is_final)
        return Outcome(letter)

    def _say_reached(self) -> None:
        if self._away:
            _log.info("the mail server is there again", action="mail_server_back")
        self._away = ""

    def _say_away(self, away: NoMailServer) -> None:
        if not self._away:  # said once, not at each attempt
            _log.error(
                f"notices cannot be sent and are tried again: {away}",
                action="mail_server_away",
                host=self._settings.host,
            )
        self._away = str(away)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            try:
                self.deliver()
            except Unavailable as error:
                _log.warning(f"notices have to wait for the database: {error}", action="mail_waits")
            except Exception:  # noqa: BLE001 - an outermost loop: one failure must not end all notices
                _log.exception("notices could not be sent and are tried again", action="mail_failed")
