"""The composition root: the only place that knows everybody. It wires one server and runs it.

    open    lock the data folder → migrate → database, keys, estate, journal (replayed), head, rules
    run     judge thread, jobs, HTTP until SIGTERM or SIGINT; then streams end, the journal and database close

What a start has opened is closed again, whatever happens on the way.
"""

import contextlib
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Self

import structlog

from tocsin_server.access.answers import sweep_answers
from tocsin_server.access.checkpoints import FILE as CHECKPOINTS
from tocsin_server.access.notary import Notary
from tocsin_server.access.operator import issue_pass
from tocsin_server.access.scrape import open_scrape_token
from tocsin_server.access.vault import vault_of
from tocsin_server.alerts.judge import Judge
from tocsin_server.alerts.rulefolder import RuleFolder
from tocsin_server.alerts.silenced import Silences
from tocsin_server.alerts.surroundings import Surroundings
from tocsin_server.backfill import Backfill
from tocsin_server.clock import Clock
from tocsin_server.config import ServerConfig, find_config
from tocsin_server.datafolder import database
from tocsin_server.desk.kept import Keeping
from tocsin_server.desk.notified import Post
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.teams import team_slugs
from tocsin_server.deskbook import Deskbook
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.hosts import client_of
from tocsin_server.estate.identity import open_identity
from tocsin_server.frontdesk import FrontDesk
from tocsin_server.gate import Gate
from tocsin_server.health import Health
from tocsin_server.historian import Historian, retention_of
from tocsin_server.http.broker import Broker
from tocsin_server.http.build import build
from tocsin_server.http.deps import Deps
from tocsin_server.http.hostrows import HostRows
from tocsin_server.http.lookers import Lookers
from tocsin_server.http.needs import Asgi
from tocsin_server.http.requests import HostReadings
from tocsin_server.http.sent import Sent
from tocsin_server.http.vitals import VitalSigns, vital_windows
from tocsin_server.ingest.cardinality import Cardinality
from tocsin_server.ingest.inbox import Inbox
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.jobs import Job, schedule
from tocsin_server.listening import is_local, local_url
from tocsin_server.notices import Notices
from tocsin_server.pictures import Pictures
from tocsin_server.postman import Postman
from tocsin_server.probebook import Probebook
from tocsin_server.quietbook import Quietbook
from tocsin_server.recall import Recall
from tocsin_server.rounds import Rounds
from tocsin_server.rulebook import Rulebook
from tocsin_server.series.head import Head
from tocsin_server.series.history.days import HISTORY, Days
from tocsin_server.series.history.reader import Archive
from tocsin_server.storage.engine import Storage

_log = structlog.get_logger()

RELOAD_EVERY_S = 2.0
"""How soon a revoked agent is refused, and a changed file or a silence by a command is in force."""
SETTLE_EVERY_S = 1.0
SWEEP_EVERY_S = 300.0
LOOK_EVERY_S = 5.0
"""How soon it is told that a console is gone that has not said so."""
SIGN_EVERY_S = 300.0
"""What is done to entries of the audit log before they are signed may not show."""
REPLAY_MS = 3_660_000
"""How much of the journal the head gets back at a start: a range of an hour, and the sample before it."""
JUDGE_LATE_S = 10.0


class Server:
    """Everything, wired. A context: leaving it ends the threads and closes the files, whatever has happened."""

    def __init__(self, data: Path, settings: ServerConfig, *, config: Path | None, clock: Clock) -> None:
        self.data = data
        self._settings = settings
        self._clock = clock
        rules = RuleFolder(_rules_folder(config))  # an operator's matter, so before anything is opened
        self.health = Health()
        self.broker = Broker()
        self.lookers = Lookers(partial(self.broker.publish, "looking"), clock)
        self.inbox = Inbox()
        self.head = Head(interval_s=settings.interval_s)
        self.identity = open_identity(data)
        self.presence = Presence(interval_s=settings.interval_s, started_ms=clock.now_ms())
        with contextlib.ExitStack() as opening:
            self.storage = opening.enter_context(Storage(database(data), alone=True))
            self.health.writer.set_function(self.storage.waiting)
            self.estate = Estate(self.storage)
            self.estate.reload()
            self.journal = opening.enter_context(
                Journal(data / "journal", clock=clock, health=self.health, keep_hours=settings.journal_hours)
            )
            self._closing = opening.pop_all()
        self.notary = Notary(self.storage, self.identity, data / CHECKPOINTS, clock)
        self.silences = Silences(self.storage, clock.now_ms)
        self.quietbook = Quietbook(
            lambda: find_config("suppressions", config), estate=self.estate, changed=self._rules_changed
        )
        self.deskbook = Deskbook(
            lambda name: find_config(name, config),
            clients=self._slugs,
            teams=lambda: self.storage.read(team_slugs),
            keeping=Keeping(self.storage.read),
            changed=self._rules_changed,
        )
        self.judge = self._judge()
        self.sent = Sent(self.journal, Archive(data / HISTORY), settings.interval_s * 1000)
        self.recall = Recall(head=self.head, sent=self.sent, hosts=self.estate.hosts, clock=clock)
        self.rulebook = Rulebook(rules, self.judge, self._rules_changed, looks_back=self.recall.require)
        self.vitals = VitalSigns(self.head, clock)
        self.hosts = HostRows(
            storage=self.storage, estate=self.estate, presence=self.presence, vitals=self.vitals, clock=clock
        )
        self.notices = Notices(
            Pictures(self.storage, self.hosts, self._terms), self.broker.publish, self.health
        )
        self.postman, self.desk = self._desk()
        self.cardinality = Cardinality(most=settings.series_per_hour, clock=clock, health=self.health)
        self.rounds = self._rounds()
        self.backfill = self._backfill()
        self.days = Days(data / HISTORY)
        self.historian = Historian(
            journal=self.journal, days=self.days, client_of=self._client_of, health=self.health, clock=clock
        )
        self.gate = self._gate()
        self.probebook = self._probebook(config)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undoing:
            undoing.callback(self.close)
            self.restore()
            self.start()
            undoing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restore(self) -> None:
        """Take up where the last run ended. Nothing runs yet; a story moves it by hand from here."""
        self.presence.remember(self.journal.last_heard_ms)
        self.head.require(vital_windows())
        self.judge.restore(self._clock.now_ms())
        self.silences.reload()
        self.quietbook.reload()
        self.deskbook.reload()
        self.desk.restore()
        self.rulebook.reload()
        self.probebook.reload()
        self.rounds.restore(self.journal.frames_since(self._clock.now_ms() - REPLAY_MS))
        # What a rule cannot look back on would be taken for false.
        self.recall.restore(self.rulebook.rules.windows())

    def start(self) -> None:
        """Start the threads and the jobs."""
        self._closing.callback(self.notary.sign_last)
        self.notices.start()
        self._closing.callback(self.notices.stop)
        self.postman.start()
        self._closing.callback(self.postman.stop)
        self.rounds.start()
        self._closing.callback(self.rounds.stop)
        self.backfill.start()
        self._closing.callback(self.backfill.stop)
        self.historian.start()
        self._closing.callback(self.historian.stop)
        jobs = schedule(self._jobs())
        jobs.start()
        self._closing.callback(jobs.shutdown)
        self._closing.callback(self.recall.stop)

    def close(self) -> None:
        """End what runs, in the reverse order, and let go of all files."""
        self._closing.close()

    def application(self) -> Asgi:
        """All routes."""
        return build(self.parts())

    def parts(self) -> Deps:
        """What the routes work with."""
        return Deps(
            storage=self.storage,
            estate=self.estate,
            head=self.head,
            presence=self.presence,
            judge=self.rulebook,
            sent=self.sent,
            inbox=self.inbox,
            hosts=self.hosts,
            notices=self.notices,
            broker=self.broker,
            lookers=self.lookers,
            health=self.health,
            clock=self._clock,
            settings=self._settings,
            vault=vault_of(self.identity),
            agents=self.gate.app,
            scrape_token=open_scrape_token(self.data),
            open_metrics=self._settings.open_metrics and is_local(self._settings),
            version=version("tocsin"),
            evaluation_s=lambda: self.rounds.last.took_s if self.rounds.last is not None else 0.0,
            ails=self.ails,
            other_problems=lambda: [
                *self.probebook.problems,
                *self.quietbook.problems,
                *self.deskbook.problems,
                *self.postman.problems,
            ],
            silences=self.silences,
            lifecycle=self.deskbook.lifecycle,
            tables=self.deskbook.tables,
            terms=self._terms,
            contracts_of_files=self.deskbook.contracts_of_files,
            rules_in_force=lambda: self.rulebook.rules,
            operator_token=issue_pass(self.data, local_url(self._settings)).token,
        )

    def _judge(self) -> Judge:
        return Judge(
            head=self.head,
            storage=self.storage,
            health=self.health,
            host_of=self._host_of,
            surroundings=Surroundings(
                estate=self.estate,
                ground=self.head,
                silences=self.silences.kept,
                said=self.quietbook.said,
            ),
        )

    def _desk(self) -> tuple[Postman, FrontDesk]:
        postman = Postman(self.storage, self._settings.mail, health=self.health, clock=self._clock)
        desk = FrontDesk(
            self.storage,
            self.notices,
            is_fresh=self._is_fresh,
            tables=self.deskbook.tables,
            terms=self._terms,
            windows=lambda: self.quietbook.said().windows,
            post=self._post,
            health=self.health,
            clock=self._clock,
            settings=self._settings,
        )
        return postman, desk

    def _rounds(self) -> Rounds:
        return Rounds(
            inbox=self.inbox,
            head=self.head,
            presence=self.presence,
            estate=self.estate,
            judge=self.judge,
            desk=self.desk,
            health=self.health,
            clock=self._clock,
            period_s=self._settings.evaluate_every_s,
            is_refused=self.cardinality.is_refused,
        )

    def _backfill(self) -> Backfill:
        return Backfill(
            journal=self.journal,
            hosts=self.estate.hosts,
            host_of=self._host_of,
            rules=lambda: self.rulebook.rules,
            storage=self.storage,
            health=self.health,
            clock=self._clock,
            interval_s=self._settings.interval_s,
            keep_hours=self._settings.journal_hours,
        )

    def _gate(self) -> Gate:
        return Gate(
            storage=self.storage,
            estate=self.estate,
            identity=self.identity,
            journal=self.journal,
            inbox=self.inbox,
            presence=self.presence,
            cardinality=self.cardinality,
            readings=HostReadings(
                vitals=self.vitals, head=self.head, presence=self.presence, clock=self._clock
            ),
            notices=self.notices,
            tables=self.deskbook.tables,
            health=self.health,
            clock=self._clock,
            interval_s=self._settings.interval_s,
        )

    def _probebook(self, config: Path | None) -> Probebook:
        return Probebook(
            lambda: find_config("probes", config),
            storage=self.storage,
            estate=self.estate,
            handout=self.gate.handout,
            clock=self._clock,
            changed=self._rules_changed,
        )

    def _jobs(self) -> list[Job]:
        return [
            Job("reload-estate", RELOAD_EVERY_S, self.estate.reload),
            Job("reload-rules", RELOAD_EVERY_S, self.rulebook.reload),
            Job("reload-devices", RELOAD_EVERY_S, self.probebook.reload),
            Job("reload-suppressions", RELOAD_EVERY_S, self.quietbook.reload),
            Job("reload-desk", RELOAD_EVERY_S, self.deskbook.reload),
            Job("reload-silences", RELOAD_EVERY_S, self._reload_silences),
            Job("settle-tickets", SETTLE_EVERY_S, self.desk.settle),
            Job("sign-audit", SIGN_EVERY_S, self.notary.sign),
            Job("sweep-journal", SWEEP_EVERY_S, lambda: self.journal.sweep(self._clock.now_ms())),
            Job("sweep-history", SWEEP_EVERY_S, self._sweep_history),
            Job("sweep-lookers", LOOK_EVERY_S, self.lookers.sweep),
            Job("sweep-answers", SWEEP_EVERY_S, self._sweep_answers),
            Job("sweep-notices", SWEEP_EVERY_S, self.postman.sweep),
        ]

    def ails(self) -> list[str]:
        """What is wrong with this server now."""
        ails = []
        if not self.rounds.is_turning(JUDGE_LATE_S):
            ails.append("rules are not judged")
        if self.journal.is_failing:
            ails.append("pushes cannot be stored")
        if self.historian.is_failing:
            ails.append("closed hours cannot be written to history")
        return ails

    def _slugs(self) -> frozenset[str]:
        return frozenset(client.slug for client in self.estate.clients())

    def _terms(self) -> Terms:
        return self.deskbook.terms(self._clock.now_ms())

    def _post(self) -> Post:
        return Post(self.deskbook.contacts(), self.postman.goes_out, self._settings.public_url)

    def _is_fresh(self, host_id: int) -> bool:
        return self.presence.is_fresh(host_id, self._clock.now_ms())

    def _host_of(self, client_id: int, instance: str) -> int | None:
        host = self.estate.host_named(client_id, instance)
        return None if host is None else host.id

    def _client_of(self, host_id: int) -> int | None:
        """A host's client; a host that is retired has one, too."""
        host = self.estate.host(host_id)
        if host is not None:
            return host.client_id
        return self.storage.read(partial(client_of, host_id=host_id))

    def _sweep_history(self) -> None:
        clients = {client.slug: client.id for client in self.estate.clients()}
        self.days.sweep(self._clock.now_ms(), retention_of(self._settings, clients))
        self.health.history_bytes.set(self.days.bytes())

    def _sweep_answers(self) -> None:
        self.storage.write(partial(sweep_answers, now_ms=self._clock.now_ms()))

    def _reload_silences(self) -> None:
        """Those that a command has made or ended beside this server."""
        kept = self.silences.kept()
        self.silences.reload()
        if self.silences.kept() != kept:
            self._rules_changed()

    def _rules_changed(self) -> None:
        self.broker.publish("rules", None)


def _rules_folder(config: Path | None) -> Path:
    folder = find_config("rules", config)
    if folder is None:
        raise Misconfigured("no rules/ folder is found", remedy="give its parent with --config")
    return folder
