"""What the server and its consoles say to each other under `/api/v1`, as msgspec types.

Times are RFC 3339 in UTC. Lists are pages. Every error is a `Problem` (RFC 9457). Clients accept fields
that they do not know, so an older console works with a newer server.

| call | takes | gives |
| --- | --- | --- |
| `POST /api/v1/login` | `LoginRequest` | `LoginAnswer` |
| `POST /api/v1/logout` | | 204 |
| `GET /api/v1/me` | | `Person` |
| `POST /api/v1/me/password` | `NewPassword` | `Ended` |
| `GET /api/v1/me/totp` | | `Totp` |
| `POST /api/v1/me/totp` | `NewTotp` | `TotpOffer` |
| `POST /api/v1/me/totp/confirm` | `TotpCode` | `RecoveryCodes` |
| `GET /api/v1/me/sessions` | | `SessionPage` |
| `DELETE /api/v1/me/sessions/{id}` ends one | | 204 |
| `POST /api/v1/me/sessions/revoke-all` | | `Ended` |
| `GET /api/v1/me/tokens` | | `TokenPage` |
| `POST /api/v1/me/tokens` | `NewToken` | `MadeToken` |
| `DELETE /api/v1/me/tokens/{id}` revokes one | | 204 |
| `GET /api/v1/status` | | `ServerStatus` |
| `GET /api/v1/tickets?state=&client=&host=&owner=&q=&…&limit=&cursor=`, see docs/desk.md | | `TicketPage` |
| `POST /api/v1/tickets` | `NewTicket` | `TicketDetail` |
| `GET /api/v1/tickets/{id}` | | `TicketDetail` |
| `POST /api/v1/tickets/{id}/take`, `/release`, `/resume` | `Change` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/wait` | `Wait` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/acknowledge` | `Acknowledgement` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/comment` | `NewComment` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/resolve` | `Resolution` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/reopen`, `/close` | `Change` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/prioritise` | `Prioritisation` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/link`, `/unlink` | `Link` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/merge` | `Merge` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/unmerge` | `Unmerge` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/assign` | `teams.Assign` | `TicketDetail` |
| `GET /api/v1/teams?mine=` | | `teams.TeamPage` |
| `GET /api/v1/teams/{slug}` | | `teams.Team` |
| `POST /api/v1/tickets/{id}/watch`, `/unwatch` | | `TicketDetail` |
| `POST /api/v1/tickets/{id}/looking` | `Looking` | `Lookers` |
| `POST /api/v1/tickets/bulk` | `BulkAct` | `BulkAnswer` |
| `GET /api/v1/clients/{slug}/sites` | | `clients.SitePage` |
| `GET /api/v1/clients/{slug}/requesters` | | `clients.RequesterPage` |
| `POST /api/v1/clients/{slug}/requesters` | `clients.NewRequester` | `clients.Requester` |
| `GET /api/v1/contracts?client=` | | `contracts.ContractPage` |
| `GET /api/v1/contracts/{id}?version=` | | the contract, as its file would be |
| `PUT /api/v1/contracts/{id}` | the contract, `If-Match` | `contracts.ContractVersion` |
| `GET /api/v1/contracts/{id}/versions` | | `contracts.ContractVersions` |
| `GET /api/v1/alerts?state=active\\|all&client=&host=` | | `AlertPage` |
| `GET /api/v1/alerts/{id}` | | `Alert` |
| `GET /api/v1/alerts/{id}/chart?minutes=` | | `Chart` |
| `GET /api/v1/why` | | `AlertPage` |
| `GET /api/v1/alerts/{id}/why` | | `Why` |
| `GET /api/v1/tickets/{id}/why` | | `TicketWhy` |
| `GET /api/v1/silences?which=active\\|all&client=` | | `SilencePage` |
| `POST /api/v1/silences` | `NewSilence` | `Silence` |
| `GET /api/v1/silences/{id}` | | `Silence` |
| `DELETE /api/v1/silences/{id}` ends it | | `Silence` |
| `GET /api/v1/hosts?client=` | | `HostPage` |
| `GET /api/v1/hosts/{id}` | | `HostDetail` |
| `GET /api/v1/hosts/{id}/chart?vital=cpu&minutes=60` | | `Chart` |
| `GET /api/v1/query?query=&time=&client=&limit=` | | `QueryAnswer` |
| `GET /api/v1/events` | `Last-Event-ID` | server-sent events, see `EVENTS` |

Authorisation is `Authorization: Bearer TOKEN`. A ticket's verbs are compare-and-set: with `version` given, or
its tag in `If-Match`, a ticket that has changed since is refused with 412; taking a ticket that somebody else
owns is 409. With an `Idempotency-Key` a change that is sent again is done once (`docs/api.md`).
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tocsin_protocol.clients import Requester
from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.messages import Message, Question
from tocsin_protocol.vocabulary import (
    ActorKind,
    AlertState,
    HostKind,
    HostState,
    LinkKind,
    Role,
    SeriesKind,
    Severity,
    SilenceState,
    SuppressionKind,
    TicketEventKind,
    TicketKind,
    TicketState,
    Tie,
    TokenScope,
)

PREFIX = "/api/v1"
MAX_PAGE = 500
MAX_TEXT = 20_000
CODE_REQUIRED = "code-required"
"""The type of the 401 for a right password without the right one-time code."""
ENROLMENT_REQUIRED = "enrolment-required"
"""The type of the 403 for whose role asks for one-time codes and who has no device yet."""
MAX_BULK = 200
"""How many tickets one request may be about."""


class WrongPart(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong in a document: where, as a fragment of a URL (RFC 6901), and why."""

    detail: str
    pointer: str
    key: str = ""
    """Where, as a file's refusal has it: `agreements/gold`."""


class Problem(Message, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `type` is a stable word a program can test, such as `ticket-changed`."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    remedy: str = ""
    errors: list[WrongPart] = msgspec.field(default_factory=list)
    """Of a document, all that is wrong in it."""


class LoginRequest(Question, frozen=True, kw_only=True):
    """Without the code that is asked of somebody the answer is a 401 of type `CODE_REQUIRED`: ask for it."""

    login: str
    password: str
    code: str = ""
    """The one-time code of now, or a recovery code."""


class Person(Message, frozen=True, kw_only=True):
    id: int
    login: str
    name: str
    role: Role


class LoginAnswer(Message, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    person: Person
    must_enrol: bool = False
    """The role asks for one-time codes: until a device is enrolled the session is good for that alone."""


class NewPassword(Question, frozen=True, kw_only=True):
    old: str
    new: str
    code: str = ""


class NewTotp(Question, frozen=True, kw_only=True):
    password: str
    code: str = ""
    """Of the device that is enrolled, or a recovery code, where another is to take its place."""


class TotpOffer(Message, frozen=True, kw_only=True):
    """A new secret, shown this once; it is in force when its first code has come."""

    secret: str
    """In base32, to be typed."""
    uri: str
    """`otpauth://…`, what authenticators read."""


class TotpCode(Question, frozen=True, kw_only=True):
    code: str


class RecoveryCodes(Message, frozen=True, kw_only=True):
    """Each is good once in place of a code; shown this once."""

    codes: list[str]


class Totp(Message, frozen=True, kw_only=True):
    """Whether codes are asked of one."""

    since: datetime | None = None
    recovery_codes: int = 0
    """How many are left."""
    is_required: bool = False
    """By one's role."""


class SessionRow(Message, frozen=True, kw_only=True):
    """Where one is signed in."""

    id: str
    begun_at: datetime
    used_at: datetime
    """To a minute."""
    expires_at: datetime | None = None
    """Unless it is unused for 30 minutes before; a session of `tocsin up` does not end by itself."""
    source: str = ""
    is_current: bool = False


class SessionPage(Message, frozen=True, kw_only=True):
    sessions: list[SessionRow]


class Ended(Message, frozen=True, kw_only=True):
    """How many sessions an act has ended."""

    sessions: int


class NewToken(Question, frozen=True, kw_only=True):
    """A token outlives the session that makes it, so the password is asked for, and the code."""

    name: str
    scopes: list[TokenScope]
    password: str
    code: str = ""
    days: int = 90


class ApiToken(Message, frozen=True, kw_only=True):
    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    """To an hour."""


class MadeToken(Message, frozen=True, kw_only=True):
    token: str
    """Shown this once."""
    made: ApiToken


class TokenPage(Message, frozen=True, kw_only=True):
    tokens: list[ApiToken]


class RuleProblem(Message, frozen=True, kw_only=True):
    """A rule file that was refused, or a rule that cannot be evaluated now."""

    file: str
    group: str = ""
    rule: str = ""
    reason: str


class ServerStatus(Message, frozen=True, kw_only=True):
    version: str
    now: datetime
    hosts: int
    hosts_silent: int
    series: int
    rules: int
    rule_problems: list[RuleProblem]
    evaluation_ms: float
    """How long the last round over all rules took."""
    waits_for: list[str] = msgspec.field(default_factory=list)
    """What a ticket can wait for."""


class TicketRow(Message, frozen=True, kw_only=True):
    """One line of the queue."""

    id: int
    version: int
    title: str
    kind: TicketKind = TicketKind.INCIDENT
    state: TicketState
    priority: int
    """1 is the most urgent, 4 the least."""
    client: str
    """The client's slug."""
    site: str
    host: str | None
    host_id: int | None
    owner: str | None
    """The login of who has it."""
    severity: Severity | None
    alert_state: AlertState | None
    """The worst state among its alerts; nothing where a person opened it."""
    recovered: bool
    """All its alerts have cleared, but it waits for a person to confirm."""
    opened_at: datetime
    updated_at: datetime
    solved_at: datetime | None
    due_at: datetime | None = None
    """When the first of its promises that still go is due; nothing while nobody knows."""
    due_state: str = ""
    """How that one stands: `running`, `breached`, `paused`; empty where nothing goes that was promised."""
    impact: str = ""
    """How much of the client's work is touched: `high`, `medium`, `low`; empty where no table has said it."""
    urgency: str = ""
    """How soon that hurts, in the same words."""
    team: str = ""
    """The slug of the team that has it."""
    supplier: str = ""
    """Whom the team has given it to, as the contract names them."""
    waits_for: str = ""
    """What a pending ticket waits for: `customer`, `vendor` and what else the lifecycle names."""
    wakes_at: datetime | None = None
    """When it is gone on with, whatever has come."""
    closes_at: datetime | None = None
    """When it closes by itself, unless it is reopened or one of its alerts is not over."""
    merged_into: int | None = None
    """The ticket that it is part of, where it was merged."""
    parent: int | None = None
    """The ticket that it is a child of."""


class TicketCounts(Message, frozen=True, kw_only=True):
    """What the status line of a console shows of all open tickets, whatever the page."""

    open: int
    unowned: int
    by_priority: dict[str, int]


class TicketPage(Message, frozen=True, kw_only=True):
    tickets: list[TicketRow]
    counts: TicketCounts
    next: str | None
    """The cursor of the next page."""
    seen: str
    """The id of the newest event that this page already holds: pass it on as `Last-Event-ID`."""


class TicketEvent(Message, frozen=True, kw_only=True):
    """One row of a ticket's timeline. `data` is evidence, such as `value`, `labels`, `withheld`."""

    id: int
    at: datetime
    kind: TicketEventKind
    actor_kind: ActorKind
    actor: str
    text: str
    data: dict[str, str | int | float | list[str] | dict[str, str] | None]
    public: bool = False
    """It is a word to who asked; what is not stays among technicians."""
    of: int | None = None
    """The ticket whose entry it is, where that was merged into the one that is looked at."""


class TicketTie(Message, frozen=True, kw_only=True):
    """Another ticket that has to do with the one that is looked at, and what it is to that."""

    tie: Tie
    ticket: int
    title: str
    state: TicketState


class Suppression(Message, frozen=True, kw_only=True):
    """Why an alert opens no ticket: the silence, window, rule or dead parent by name, and in words."""

    kind: SuppressionKind
    name: str
    words: str


class Alert(Message, frozen=True, kw_only=True):
    """One alert with what a technician needs to judge it."""

    id: int
    state: AlertState
    alertname: str
    severity: Severity | None
    client: str
    host: str | None
    host_id: int | None
    ticket_id: int | None
    rule_file: str
    rule_group: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    """The expression's last value while it was true."""
    active_at: datetime | None
    fired_at: datetime | None
    resolved_at: datetime | None
    suppressed: list[Suppression] = msgspec.field(default_factory=list)
    """Why its delivery is withheld; nothing where it is not."""
    suppressed_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    late: bool = False
    """It was over before the server heard of it: found in what its agent sent afterwards. Nobody was told."""


class AlertPage(Message, frozen=True, kw_only=True):
    alerts: list[Alert]


class TicketDetail(Message, frozen=True, kw_only=True):
    ticket: TicketRow
    events: list[TicketEvent]
    alerts: list[Alert]
    clocks: list[TicketClock] = msgspec.field(default_factory=list)
    """By its contract; those that others have taken the place of stand before them."""
    unclocked: str = ""
    """Why there are none though its client has a contract."""
    watchers: list[str] = msgspec.field(default_factory=list)
    """The logins of those who watch it."""
    cut_off: int = 0
    """How many alerts of hosts behind its own dead one are on it; `alerts` ends with a few of them."""
    ties: list[TicketTie] = msgspec.field(default_factory=list)
    """What else belongs to it, at most 200 of them."""
    requester: Requester | None = None
    """Who asks for it, of the client's people."""


class NewTicket(Question, frozen=True, kw_only=True):
    client: str
    title: str
    text: str = ""
    host_id: int | None = None
    priority: int = 3
    requester: str | None = None
    """Who asks for it: the address of one of the client's."""


class Change(Question, frozen=True, kw_only=True):
    version: int | None = None


class NewComment(Question, frozen=True, kw_only=True):
    text: str
    public: bool = False
    """Whether it is for who asked, and not among technicians."""
    version: int | None = None


class Resolution(Question, frozen=True, kw_only=True):
    text: str = ""
    """What was wrong and what was done."""
    children: bool = False
    """Whether all that are open below it are solved as well; if one cannot be, none is."""
    version: int | None = None


class Link(Question, frozen=True, kw_only=True):
    """What another ticket of the client is to this one. Of both a version may be named."""

    kind: LinkKind
    other: int
    version: int | None = None
    other_version: int | None = None


class Merge(Question, frozen=True, kw_only=True):
    """Which open ticket of the client it is part of from now on. Of both a version may be named."""

    into: int
    version: int | None = None
    into_version: int | None = None


class Unmerge(Question, frozen=True, kw_only=True):
    """It is a ticket of its own again. Of both a version may be named."""

    version: int | None = None
    into_version: int | None = None


class Wait(Question, frozen=True, kw_only=True):
    """What a ticket is to wait for, and until when at most."""

    reason: str
    until: datetime | None = None
    text: str = ""
    version: int | None = None


class Prioritisation(Question, frozen=True, kw_only=True):
    """How urgent a ticket is: `impact` and `urgency`, of which a table makes the priority, or a priority."""

    impact: str = ""
    urgency: str = ""
    priority: int | None = None
    text: str = ""
    """Why; a priority that no table has reckoned needs it."""
    version: int | None = None


class Acknowledgement(Question, frozen=True, kw_only=True):
    version: int | None = None
    text: str = ""


class BulkTicket(Question, frozen=True, kw_only=True):
    id: int
    version: int | None = None


class BulkAct(Question, frozen=True, kw_only=True):
    """One act on several tickets, with the fields that it has on one; a field of another act is refused."""

    act: Literal["take", "release", "wait", "resume", "comment", "acknowledge", "resolve", "close"]
    tickets: Annotated[list[BulkTicket], Meta(min_length=1, max_length=MAX_BULK)]
    text: str = ""
    public: bool = False
    reason: str = ""
    until: datetime | None = None


class BulkResult(Message, frozen=True, kw_only=True):
    """What has come of one of them: its version now, or why nothing was done."""

    id: int
    status: int
    """As the act on it alone would have answered."""
    version: int | None = None
    problem: Problem | None = None


class BulkAnswer(Message, frozen=True, kw_only=True):
    results: list[BulkResult]
    """In the order in which they were asked for."""


class Silence(Message, frozen=True, kw_only=True):
    """For some time nobody is woken by alerts with such labels."""

    id: int
    client: str | None
    """Whose alerts; nothing for all clients'."""
    matchers: str
    """As Alertmanager writes them: `{alertname="DiskFull",instance=~"db-.+"}`."""
    state: SilenceState
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str


class SilencePage(Message, frozen=True, kw_only=True):
    silences: list[Silence]


class NewSilence(Question, frozen=True, kw_only=True):
    """A silence to be; with the `id` of one, that one is to be so.

    Where nothing else is said it begins now, and one that has not expired keeps its start. A change of what has
    been silent so far ends the one that was and makes another: the answer says which id it has.
    """

    matchers: str
    ends_at: datetime
    client: str | None = None
    starts_at: datetime | None = None
    comment: str = ""
    id: int | None = None


class Vitals(Message, frozen=True, kw_only=True):
    """A host's readings at a glance; nothing where they are not known. Ratios are 0 to 1."""

    cpu_ratio: float | None = None
    memory_ratio: float | None = None
    filesystem_ratio: float | None = None
    """The fullest filesystem's used share."""
    filesystem_mountpoint: str | None = None
    load1: float | None = None
    receive_bytes_per_s: float | None = None
    transmit_bytes_per_s: float | None = None
    boot_at: datetime | None = None


class HostRow(Message, frozen=True, kw_only=True):
    id: int
    name: str
    client: str
    site: str
    kind: HostKind
    job: str
    state: HostState
    last_seen: datetime | None
    os: str
    agent_version: str
    open_tickets: int
    worst_priority: int | None
    vitals: Vitals
    cloned: bool = False
    """Two hosts speak with its agent's key, and neither is heard until it is released."""


class HostPage(Message, frozen=True, kw_only=True):
    hosts: list[HostRow]


class Reading(Message, frozen=True, kw_only=True):
    """The last sample of one series of a host."""

    name: str
    labels: dict[str, str]
    kind: SeriesKind
    value: float | None
    """Nothing for a value that JSON cannot carry (NaN and the infinities)."""
    at: datetime


class HostDetail(Message, frozen=True, kw_only=True):
    host: HostRow
    readings: list[Reading]
    alerts: list[Alert]
    tickets: list[TicketRow]
    parents: list[str] = msgspec.field(default_factory=list)
    """The names of what it is reached through."""
    probed_by: str | None = None
    """The host whose agent probes it, where it has none of its own."""


class TicketChanged(Message, frozen=True, kw_only=True):
    """SSE event `ticket`: the row as it is now, and what has just happened to it."""

    ticket: TicketRow
    happened: TicketEventKind
    counts: TicketCounts


class HostChanged(Message, frozen=True, kw_only=True):
    """SSE event `host`: a host was enrolled, fell silent, came back or was retired."""

    host: HostRow


class Looking(Question, frozen=True, kw_only=True):
    """A console shows a ticket; said anew every ten seconds, it is forgotten after thirty."""

    writing: Literal["", "note", "reply"] = ""
    """What is being written on it there."""
    gone: bool = False
    """It is shown no more."""


class Looker(Message, frozen=True, kw_only=True):
    login: str
    writing: str = ""


class Lookers(Message, frozen=True, kw_only=True):
    """Who looks at a ticket, by login, whoever asks among them."""

    lookers: list[Looker]


class LookersChanged(Message, frozen=True, kw_only=True):
    """SSE event `looking`: who looks at a ticket now. Only the provider's own people hear of it."""

    ticket_id: int
    client: str
    lookers: list[Looker]


EVENTS: dict[str, type[Message] | None] = {
    "ticket": TicketChanged,
    "host": HostChanged,
    "looking": LookersChanged,
    "rules": None,  # what judges or withholds has changed, such as a rule file or a silence: ask for the status
    "reset": None,  # events were missed (the server restarted): take a new snapshot
}
"""The names of the server-sent events and what each carries; a comment line every 15 s keeps the line open."""
