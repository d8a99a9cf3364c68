"""The parts that the routes work with, put together by `app`."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litestar.di import NamedDependency

from tocsin_protocol.status import RuleProblem
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.ration import Ration
from tocsin_server.access.vault import Vault
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.silenced import Silences
from tocsin_server.clock import Clock
from tocsin_server.config import ServerConfig
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.lifecycle import Lifecycle
from tocsin_server.desk.promised import Terms
from tocsin_server.estate.estate import Estate
from tocsin_server.health import Health
from tocsin_server.http.broker import Broker
from tocsin_server.http.hostrows import HostRows
from tocsin_server.http.inwork import InWork
from tocsin_server.http.lookers import Lookers
from tocsin_server.http.needs import Asgi, Head, Judge, Notices, Presence
from tocsin_server.http.sent import Sent
from tocsin_server.sla.register import Contracts
from tocsin_server.storage.engine import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Everything; one for each server."""

    storage: Storage
    estate: Estate
    head: Head
    presence: Presence
    judge: Judge
    sent: Sent
    inbox: Sized
    hosts: HostRows
    notices: Notices
    broker: Broker
    health: Health
    silences: Silences
    clock: Clock
    settings: ServerConfig
    vault: Vault
    """Opens what is sealed of people's one-time codes."""
    lookers: Lookers
    """Who looks at which ticket."""
    agents: Asgi
    """Answers /agent/v1/*, and sees those requests before anybody else."""
    scrape_token: str
    open_metrics: bool
    """Whether what Prometheus needs is served without the token, to who asks for a loopback address."""
    version: str
    evaluation_s: Callable[[], float]
    """How long the last round over all rules took."""
    ails: Callable[[], Sequence[str]]
    """What is wrong with this server now; nothing where it does its work."""
    other_problems: Callable[[], Sequence[RuleProblem]]
    """Files of devices and of suppressions that are not in force."""
    rules_in_force: Callable[[], RuleSet]
    lifecycle: Callable[[], Lifecycle]
    """Which acts of people are lawful."""
    tables: Callable[[], Tables]
    """What decides on tickets."""
    terms: Callable[[], Terms]
    """By what tickets are clocked."""
    contracts_of_files: Callable[[], Contracts]
    """Contracts that are not in the database."""
    operator_token: str
    """Of the pass in the data folder; empty opens nothing."""
    passwords: Passwords = field(default_factory=Passwords)
    failures: Ration = field(default_factory=Ration)
    """Which failed sign-ins the audit log tells of."""
    in_work: InWork = field(default_factory=InWork)
    """Which requests with an idempotency key are not answered yet."""


if TYPE_CHECKING:
    Wired = Deps
    """How a route asks for them."""
else:
    Wired = NamedDependency[Any]  # the framework would look into the type it is told, and convert the parts
