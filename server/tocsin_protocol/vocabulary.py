"""The words of the trade, spelled once: code, database, API, screen and docs all use these.

Every enum's value is what is stored and sent. A value is never renamed or reused.
"""

from enum import IntEnum, StrEnum


class HostKind(StrEnum):
    """What a watched thing is."""

    SERVER = "server"
    DESKTOP = "desktop"
    NETWORK = "network"
    APPLICATION = "application"


class HostState(StrEnum):
    """What is known of a host now, from its pushes alone."""

    UP = "up"
    SILENT = "silent"
    """Three pushes or more were missed."""
    AWAITED = "awaited"
    """Enrolled, but nothing has come yet."""
    RETIRED = "retired"


class SeriesKind(IntEnum):
    """Prometheus's metric types, as far as an agent sends them."""

    UNTYPED = 0
    GAUGE = 1
    COUNTER = 2


class AlertState(StrEnum):
    """The life of one alert, Prometheus's words and one of ours.

    `unknown` is a firing alert whose condition can no longer be judged, because its data has stopped.
    """

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"
    RESOLVED = "resolved"


class SuppressionKind(StrEnum):
    """What withholds the delivery of an alert."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INHIBITED = "inhibited"
    PARENT_DOWN = "parent_down"
    FLAPPING = "flapping"


class SilenceState(StrEnum):
    """Where a silence stands, in Alertmanager's words."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Severity(StrEnum):
    """What a rule says of itself in its label `severity`."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class TicketKind(StrEnum):
    """ITIL's four: something is broken, somebody asks for something, why things break, and what is altered."""

    INCIDENT = "incident"
    REQUEST = "request"
    PROBLEM = "problem"
    CHANGE = "change"


class TicketState(StrEnum):
    """ITIL's incident states."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    PENDING = "pending"
    SOLVED = "solved"
    CLOSED = "closed"


class TicketAct(StrEnum):
    """What people do that may lead to another state."""

    TAKE = "take"
    RELEASE = "release"
    WAIT = "wait"
    RESUME = "resume"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"


OPEN_TICKET_STATES = frozenset({TicketState.NEW, TicketState.IN_PROGRESS, TicketState.PENDING})


class TicketEventKind(StrEnum):
    """What can happen to a ticket; each is one row of its timeline."""

    OPENED = "opened"
    ALERT_FIRED = "alert_fired"
    ALERT_UNKNOWN = "alert_unknown"
    ALERT_RESOLVED = "alert_resolved"
    PRIORITISED = "prioritised"
    """A person has said how urgent it is."""
    ACKNOWLEDGED = "acknowledged"
    """Its alerts are known to somebody, and ring no more until they have cleared."""
    ASSIGNED = "assigned"
    """It is given to a team, to a person of one, or to a supplier."""
    TAKEN = "taken"
    RELEASED = "released"
    COMMENTED = "commented"
    WAITING = "waiting"
    """Nothing can be done before something has come: it is pending."""
    RESUMED = "resumed"
    RECOVERED = "recovered"
    """Its alerts have ended, but a person has spoken here or nothing proves it: confirm and resolve."""
    SOLVED = "solved"
    REOPENED = "reopened"
    CLOSED = "closed"
    DUE_SOON = "due_soon"
    """One of its clocks has passed a threshold before its deadline."""
    BREACHED = "breached"
    """One of its clocks has passed its deadline, or a threshold beyond it."""
    ATTACHED = "attached"
    """Alerts of hosts that cannot be reached past its own are on it now, so many at once."""
    WINDOW_OPENED = "window_opened"
    """A maintenance window of its host has begun."""
    WINDOW_CLOSED = "window_closed"
    LINKED = "linked"
    UNLINKED = "unlinked"
    MERGED = "merged"
    """It is part of another ticket now."""
    UNMERGED = "unmerged"
    ABSORBED = "absorbed"
    """Another ticket was merged into this one."""
    SEPARATED = "separated"
    """That was undone."""


class LinkKind(StrEnum):
    """How a ticket is linked to another one."""

    RELATES = "relates"
    CAUSED_BY = "caused_by"
    DUPLICATE_OF = "duplicate_of"
    PARENT = "parent"
    """The other is its parent."""


class Tie(StrEnum):
    """What another ticket is to the one that is looked at."""

    RELATES = "relates"
    CAUSED_BY = "caused_by"
    CAUSES = "causes"
    DUPLICATE_OF = "duplicate_of"
    DUPLICATED_BY = "duplicated_by"
    PARENT = "parent"
    CHILD = "child"
    RECURS = "recurs"
    """The other was of the same trouble, and is over."""
    RECURS_AS = "recurs_as"
    MERGED_INTO = "merged_into"
    ABSORBED = "absorbed"


class TeamAssign(StrEnum):
    """Who of a team gets a ticket that is routed to it."""

    NONE = "none"
    """Nobody, until somebody takes it."""
    LOAD = "load"
    """Whoever has the least to do."""


class NoticeChannel(StrEnum):
    """How somebody is told of a ticket. Both are mail; a page goes to the address of a pager."""

    MAIL = "mail"
    PAGE = "page"


class NoticeState(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Refused, or tried for a day in vain."""
    NOWHERE = "nowhere"
    """There is no mail server in the settings."""


class ActorKind(StrEnum):
    """Who did it."""

    PERSON = "person"
    HOST = "host"
    """Somebody at a host, by its agent: `alice on desk-7`."""
    RULE = "rule"
    SYSTEM = "system"
    CLIENT = "client"
    """One of the client's people, signed in: what they say is no answer of the desk's."""


class Role(StrEnum):
    """What a person may do, with the clients that they are granted."""

    ADMIN = "admin"
    DISPATCHER = "dispatcher"
    TECHNICIAN = "technician"
    VIEWER = "viewer"
    """One of the provider's people who may read only."""
    AUDITOR = "auditor"
    CLIENT_VIEWER = "client_viewer"
    CLIENT_APPROVER = "client_approver"
    """One of a client's people who may speak for it."""


CLIENT_ROLES = frozenset({Role.CLIENT_VIEWER, Role.CLIENT_APPROVER})
"""Those of people who are a client's own, and not the provider's."""


class TokenScope(StrEnum):
    """What a token for programs is for."""

    READ = "read"
    TICKETS_WRITE = "tickets:write"
    SILENCES_WRITE = "silences:write"
