"""Whatever happens to an alert, it is what its condition says, and one open ticket tells of it.

A story is a random sequence of samples, gaps, silences, restarts, reloads and full disks, through the real
judge, its tables and the desk's intake. Beside it runs a simple account of what has to come of it.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import delete
from sqlmodel import Session, col, select
from tests.examples import share
from tests.server.alerts.conftest import ATLAS, BOREA, HOSTS, START_MS, ZEPHYR, new_judge

from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, AlertState, SeriesKind, SuppressionKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.alerts.alert import Alert
from tocsin_server.alerts.alert import Key as AlertKey
from tocsin_server.alerts.deliveries import GRACE_MS
from tocsin_server.alerts.flapping import Flaps
from tocsin_server.alerts.inhibition import Firing
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.settle import active_alerts
from tocsin_server.alerts.silences import LAST_MS, Silence
from tocsin_server.alerts.state import ALARMING
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.alerts.suppression import Circumstances
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk.intake import consume
from tocsin_server.desk.recovery import settle_recovered
from tocsin_server.desk.relapse import reopen_still_firing
from tocsin_server.desk.store import Ticket, TicketAlert, TicketEventRow, TicketText
from tocsin_server.errors import Unavailable
from tocsin_server.health import Health
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry
from tocsin_server.storage.engine import Storage

LOOKBACK_MS = 300_000
QUIET_MS = 5_000
REOPEN_MS = 60_000
SCHEMA = Schema(1, "", (SeriesEntry("temperature", SeriesKind.GAUGE, ()),))

Key = tuple[str, int]
"""A rule's severity, which is its group too, and a host."""


@dataclass(frozen=True)
class Terms:
    """A rule, as far as stories change it."""

    above: int = 80
    for_s: int = 0
    keep_s: int = 0


TERMS = st.sampled_from([Terms(), Terms(70), Terms(for_s=3), Terms(for_s=10), Terms(70, 3), Terms(keep_s=4)])
SEVERITIES = st.sampled_from(["critical", "warning"])
VALUES = st.sampled_from([50.0, 75.0, 90.0, 90.0, None])
ALL_HOSTS = st.sampled_from([ATLAS, BOREA, ZEPHYR])


class Disk:
    """The storage; while it is full nothing stays written."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.read = storage.read
        self.is_full = False

    def write(self, act: Callable[[Session], Any]) -> Any:
        return self._storage.write(partial(self._act, act))

    def _act(self, act: Callable[[Session], Any], session: Session) -> Any:
        done = act(session)
        if self.is_full:
            raise Unavailable("the disk with the database is full")
        return done


@dataclass
class Around:
    """What withholds deliveries, host by host."""

    kinds: dict[int, str] = field(default_factory=dict)

    def withhold(self, host_id: int, kind: str) -> None:
        self.kinds[host_id] = kind

    def circumstances(self, now_ms: int, firing: Firing, flaps: Mapping[AlertKey, Flaps]) -> Circumstances:
        names = {host_id: name for host_id, (_, name) in HOSTS.items()}
        return Circumstances(
            now_ms,
            silences=[
                Silence(host_id, client_id, parse_matchers(f'instance="{name}"'), 0, LAST_MS, "ada")
                for host_id, (client_id, name) in HOSTS.items()
                if self.kinds.get(host_id) == "silence"
            ],
            unreachable={host_id: (99,) for host_id, kind in self.kinds.items() if kind == "cut off"},
            host_names=names,
            flaps=flaps,
        )

    def place_of(self, alert: Alert) -> Place:
        return Place("acme")


@dataclass
class Account:
    """What has to come of one alert: only what is written counts, except for how long its condition is true."""

    true_since: int | None = None
    known_since: int | None = None
    """As `true_since`, as of the last write: what a restart leaves of it."""
    false_since: int | None = None
    is_alarming: bool = False
    is_known: bool = True
    is_pending: bool = False

    def judge(self, terms: Terms, now_ms: int, *, seen: bool | None, is_written: bool) -> None:
        """Its condition is seen true, seen false, or cannot be known."""
        if self.is_alarming:
            if is_written:
                self._alarming(terms, now_ms, seen=seen)
            return
        self.true_since = (now_ms if self.true_since is None else self.true_since) if seen else None
        if is_written:
            self.known_since = self.true_since
            self.is_pending = self.true_since is not None
            if self.true_since is not None and now_ms - self.true_since >= terms.for_s * 1000:
                self.is_alarming, self.is_known, self.false_since = True, True, None

    def _alarming(self, terms: Terms, now_ms: int, *, seen: bool | None) -> None:
        self.is_known = seen is not None
        self.false_since = (now_ms if self.false_since is None else self.false_since) if seen is False else None
        if self.false_since is not None and now_ms - self.false_since >= terms.keep_s * 1000:
            self.end()

    def end(self) -> None:
        """It is over, or its rule has gone."""
        self.is_alarming = self.is_pending = False
        self.true_since = self.known_since = None

    @property
    def states(self) -> set[AlertState | None]:
        """What its row may say; None where there is no row."""
        if self.is_alarming:
            return {AlertState.FIRING if self.is_known else AlertState.UNKNOWN}
        if self.is_pending:
            return {AlertState.PENDING}
        return {None, AlertState.INACTIVE, AlertState.RESOLVED}


class Story(RuleBasedStateMachine):
    """One second follows another, and in between things happen."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        super().__init__()
        storage.write(forget)
        self.disk = Disk(storage)
        self.folder = folder
        self.now_ms = START_MS
        self.around = Around()
        self.hosts = {(client_id, name): host_id for host_id, (client_id, name) in HOSTS.items()}
        self.in_force: dict[str, Terms] = {}
        self.samples: dict[int, tuple[int, float]] = {}
        self.accounts = {key: Account() for key in itertools.product(("critical", "warning"), HOSTS)}
        self._start(Head())

    def _start(self, head: Head) -> None:
        self.head = head
        for host_id, (client_id, name) in HOSTS.items():
            if host_id in self.hosts.values():
                target = {"instance": name, "job": "node", "site": "berlin"}
                head.enlist(host_id, client_id=client_id, target=target)
        self.judge = new_judge(head, self.disk, Health(), self.hosts, self.around)
        self.judge.restore(self.now_ms)
        self._load()

    def _load(self) -> None:
        self.judge.replace_rules(rules_of(self.folder, tuple(sorted(self.in_force.items(), key=str))))

    @initialize(critical=TERMS, warning=TERMS, values=st.lists(VALUES, min_size=3, max_size=3))
    def begin(self, critical: Terms, warning: Terms, values: list[float | None]) -> None:
        self.in_force = {"critical": critical, "warning": warning}
        self._load()
        for host_id, value in zip(HOSTS, values, strict=True):
            self.send(host_id, value)

    @rule(host_id=ALL_HOSTS, value=VALUES)
    def send(self, host_id: int, value: float | None) -> None:
        """A frame; None says that the sample is absent."""
        self.now_ms += 10
        if host_id not in self.hosts.values():
            return
        self._apply(host_id, STALE_NAN if value is None else value)
        self.samples.pop(host_id, None)
        if value is not None:
            self.samples[host_id] = (self.now_ms, value)

    @rule(host_id=ALL_HOSTS)
    def fall_silent(self, host_id: int) -> None:
        self.now_ms += 10
        if host_id in self.hosts.values():
            with self.head.lock:
                self.head.beat(host_id, up=False, at_ms=self.now_ms)
            self.samples.pop(host_id, None)

    @rule()
    def retire(self) -> None:
        """Only ever one of them, or soon nothing would happen any more."""
        if self.hosts.pop(HOSTS[BOREA], None) is not None:
            with self.head.lock:
                self.head.retire(BOREA)
            self.samples.pop(BOREA, None)

    @rule(host_id=ALL_HOSTS, kind=st.sampled_from(["silence", "cut off", "open"]))
    def withhold(self, host_id: int, kind: str) -> None:
        """Somebody silences a host's alerts, its parent dies, or neither is so any longer."""
        self.around.withhold(host_id, kind)

    @rule(severity=SEVERITIES, terms=st.one_of(TERMS, st.none()))
    def load(self, severity: str, terms: Terms | None) -> None:
        """A reload, be it of the same; None takes the rule away."""
        self.in_force.pop(severity, None)
        if terms is not None:
            self.in_force[severity] = terms
        self._load()

    @rule(has_journal=st.sampled_from([True, True, False]))
    def restart(self, *, has_journal: bool) -> None:
        """The head comes from the journal, or from nothing where that is lost."""
        for account in self.accounts.values():
            account.true_since = account.known_since
        if not has_journal:
            self.samples.clear()
        self._start(Head())
        for host_id, (at_ms, value) in self.samples.items():
            self._apply(host_id, value, at_ms)

    @rule(seconds=st.sampled_from([1, 1, 2, 3, 10, 61, 301]), is_full=st.sampled_from([False, False, True]))
    def round(self, seconds: int, *, is_full: bool) -> None:
        self.disk.is_full = is_full
        self.now_ms += seconds * 1000
        with self.head.lock:
            done = self.judge.round(self.now_ms)
        self.judge.settle(done)
        for key, account in self.accounts.items():
            self._keep_account(key, account)
        self._check_alerts()
        self.disk.is_full = False

    @rule(
        seconds=st.lists(st.sampled_from([1, 3, 4]), min_size=2, max_size=4),
        is_full=st.sampled_from([False, True]),
    )
    def rounds(self, seconds: list[int], *, is_full: bool) -> None:
        for each in seconds:
            self.round(each, is_full=is_full)

    @rule()
    def work_at_the_desk(self) -> None:
        now_ms = self.now_ms
        self.disk.write(lambda session: consume(session, now_ms, reopen_ms=REOPEN_MS, tables=NO_TABLES))
        self._check_tickets()
        is_fresh = self.samples.__contains__
        self.disk.write(
            lambda session: settle_recovered(
                session, now_ms, quiet_ms=QUIET_MS, is_fresh=is_fresh, tables=NO_TABLES
            )
        )
        self._check_tickets()
        assert not self.disk.write(lambda session: reopen_still_firing(session, now_ms, after_ms=0))

    def teardown(self) -> None:
        """In the end all is written and nothing is withheld: nothing may have been lost on the way."""
        for host_id in HOSTS:
            self.around.withhold(host_id, "open")
        for _ in range(2):
            self.round(GRACE_MS // 1000, is_full=False)
        self.work_at_the_desk()

    def _apply(self, host_id: int, value: float, at_ms: int | None = None) -> None:
        with self.head.lock:
            self.head.apply(host_id, SCHEMA, [at_ms or self.now_ms], np.array([[value]]))

    def _keep_account(self, key: Key, account: Account) -> None:
        severity, host_id = key
        is_written = not self.disk.is_full
        terms = self.in_force.get(severity)
        if terms is None:
            account.true_since = None
            if is_written:
                account.end()
        elif host_id not in self.hosts.values():
            account.judge(terms, self.now_ms, seen=False, is_written=is_written)
        else:
            account.judge(terms, self.now_ms, seen=self._seen(host_id, terms), is_written=is_written)

    def _seen(self, host_id: int, terms: Terms) -> bool | None:
        at_ms, value = self.samples.get(host_id, (-LOOKBACK_MS, 0.0))
        return value > terms.above if self.now_ms - at_ms < LOOKBACK_MS else None

    def _check_alerts(self) -> None:
        rows = {
            (row.severity, row.host_id): row.state
            for row in self.disk.read(lambda session: list(session.exec(select(AlertRow))))
        }
        for key, account in self.accounts.items():
            assert rows.get(key) in account.states, (key, rows.get(key), account)

    def _check_tickets(self) -> None:
        alarming = self.disk.read(
            lambda session: [alert for alert in active_alerts(session) if alert.life.state in ALARMING]
        )
        heard = self.disk.read(open_tickets)
        for alert in alarming:
            telling = len([ticket for ticket, alerts in heard.items() if alert.id in alerts])
            is_barred = any(reason.kind is not SuppressionKind.FLAPPING for reason in alert.suppressed)
            assert telling <= 1 if is_barred else telling == 1


def forget(session: Session) -> None:
    for table in (TicketEventRow, TicketAlert, TicketText, Ticket, Transition, AlertRow):
        session.execute(delete(table))


def open_tickets(session: Session) -> dict[int, set[int]]:
    """The alerts of each open ticket."""
    asked = select(TicketAlert.ticket_id, TicketAlert.alert_id).join(
        Ticket, col(Ticket.id) == TicketAlert.ticket_id
    )
    found: dict[int, set[int]] = {}
    for ticket_id, alert_id in session.exec(asked.where(col(Ticket.state).in_(OPEN_TICKET_STATES))):
        found.setdefault(ticket_id, set()).add(alert_id)
    return found


@cache
def rules_of(folder: Path, in_force: tuple[tuple[str, Terms], ...]) -> RuleSet:
    path = folder / "rules.yml"
    path.write_text("groups:\n" + "".join(itertools.starmap(group_of, in_force)))
    return load_rule_files(path)


def group_of(severity: str, terms: Terms) -> str:
    return f"""
  - name: {severity}
    rules:
      - alert: Hot
        expr: temperature > {terms.above}
        for: {terms.for_s}s
        keep_firing_for: {terms.keep_s}s
        labels: {{severity: {severity}}}
"""


@pytest.mark.scenario
@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
def test_whatever_happens_alerts_are_what_their_conditions_say_and_one_ticket_tells_of_each(estate, tmp_path):
    with estate.copied(tmp_path) as where, Storage(where) as storage:
        run_state_machine_as_test(
            lambda: Story(storage, tmp_path),
            settings=settings(max_examples=share(60), stateful_step_count=30),
        )
