"""The audit log: what people, operators, agents and the server itself have done, as a chain of entries.

Entries are numbered from 1, and each holds the digest of the one before. So none can be changed, taken out or
put between without making all that follow anew; that this was done is shown by checkpoints (`checkpoints.py`).
A digest is SHA-256, in hexadecimal, of the line `tocsin-audit-v1` with its newline and then of

    id  at_ms  party  actor  client_id  act  subject  details  source  previous

each as a netstring (cr.yp.to/proto/netstrings.txt) of its UTF-8 text, numbers in decimal: `4:acme,`. Where
there is no client, `-,` stands, which is no netstring. So no two entries are digested alike.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from tocsin_server.estate.names import cleaned_remark

GENESIS = "0" * 64
"""The digest before the first entry."""
_DOMAIN = b"tocsin-audit-v1\n"
_NONE = b"-,"


class Party(StrEnum):
    """What kind of one has done it."""

    PERSON = "person"
    """Somebody who is signed in, by login."""
    OPERATOR = "operator"
    """Whoever ran a command at the server's machine, by the name that the system has for them."""
    AGENT = "agent"
    SERVER = "server"
    NOBODY = "nobody"
    """Somebody who has not shown that they are who they say."""


class Act(StrEnum):
    """What is recorded. The word before the dot is what the entry's subject is."""

    LOG_BEGUN = "log.begun"
    """The tables are older than the log: of what was before it knows nothing."""
    CLIENT_ADDED = "client.added"
    SITE_ADDED = "site.added"
    HOST_RETIRED = "host.retired"
    INVITATION_MADE = "invitation.made"
    AGENT_ENROLLED = "agent.enrolled"
    AGENT_REVOKED = "agent.revoked"
    AGENT_CLONED = "agent.cloned"
    AGENT_RELEASED = "agent.released"
    AGENT_KEY_CHANGED = "agent.key_changed"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_DISABLED = "person.disabled"
    PERSON_ENABLED = "person.enabled"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGN_IN_FAILED = "person.sign_in_failed"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_CODES_BEGUN = "person.codes_begun"
    """One-time codes are asked of them from now on, or those of another device."""
    PERSON_CODES_RESET = "person.codes_reset"
    PERSON_UNLOCKED = "person.unlocked"
    """Failed sign-ins with their login are forgotten."""
    TOKEN_MADE = "token.made"  # noqa: S105 - the name of an act
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an act
    TEAM_ADDED = "team.added"
    TEAM_CHANGED = "team.changed"
    TEAM_JOINED = "team.joined"
    TEAM_MEMBER_CHANGED = "team.member_changed"
    TEAM_LEFT = "team.left"
    WATCH_BEGUN = "watch.begun"
    """Somebody watches a ticket, which is the subject."""
    WATCH_ENDED = "watch.ended"
    REQUESTER_ADDED = "requester.added"
    REQUESTER_CHANGED = "requester.changed"
    REQUESTER_REMOVED = "requester.removed"
    CONTRACT_KEPT = "contract.kept"
    SILENCE_MADE = "silence.made"
    SILENCE_CHANGED = "silence.changed"
    SILENCE_ENDED = "silence.ended"
    TICKET_OPENED = "ticket.opened"
    TICKET_ASSIGNED = "ticket.assigned"
    TICKET_TAKEN = "ticket.taken"
    TICKET_RELEASED = "ticket.released"
    TICKET_COMMENTED = "ticket.commented"
    TICKET_PRIORITISED = "ticket.prioritised"
    TICKET_ACKNOWLEDGED = "ticket.acknowledged"
    TICKET_WAITING = "ticket.waiting"
    TICKET_RESUMED = "ticket.resumed"
    TICKET_SOLVED = "ticket.solved"
    TICKET_REOPENED = "ticket.reopened"
    TICKET_CLOSED = "ticket.closed"
    TICKET_LINKED = "ticket.linked"
    TICKET_UNLINKED = "ticket.unlinked"
    TICKET_MERGED = "ticket.merged"
    TICKET_UNMERGED = "ticket.unmerged"
    TICKET_ABSORBED = "ticket.absorbed"
    TICKET_SEPARATED = "ticket.separated"


class Actor(NamedTuple):
    """Who has done it, and from which address where that is known."""

    party: Party
    name: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that has been done and is to be recorded."""

    act: Act
    subject: str | int
    """What it was done to, by what never becomes another's: a login, a slug, a row's number."""
    _: KW_ONLY
    by: Actor
    at_ms: int
    client_id: int | None = None
    """Whose it is; nothing for what is the provider's own."""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it is kept. Its words are text: a table that was tampered with may say anything."""

    id: int
    at_ms: int
    party: str
    actor: str
    client_id: int | None
    act: str
    subject: str
    details: str
    """A JSON object without spaces, its keys sorted, in ASCII."""
    source: str
    previous: str
    digest: str


class Head(NamedTuple):
    """Where the chain ends: the number of its last entry and that one's digest."""

    id: int
    digest: str


EMPTY = Head(0, GENESIS)


def following(head: Head, deed: Deed) -> Entry:
    """The deed as the next entry; names are made one line of bounded length."""
    entry = Entry(
        id=head.id + 1,
        at_ms=deed.at_ms,
        party=deed.by.party.value,
        actor=cleaned_remark(deed.by.name),
        client_id=deed.client_id,
        act=deed.act.value,
        subject=cleaned_remark(str(deed.subject)),
        details=json.dumps(deed.details, sort_keys=True, separators=(",", ":")),
        source=cleaned_remark(deed.by.source),
        previous=head.digest,
        digest="",
    )
    return replace(entry, digest=digest_of(entry))


def digest_of(entry: Entry) -> str:
    """What its digest has to be."""
    fields = (
        entry.id,
        entry.at_ms,
        entry.party,
        entry.actor,
        entry.client_id,
        entry.act,
        entry.subject,
        entry.details,
        entry.source,
        entry.previous,
    )
    return hashlib.sha256(_DOMAIN + b"".join(map(framed, fields))).hexdigest()


def framed(value: str | int | None) -> bytes:
    """A field as it is digested."""
    if value is None:
        return _NONE
    text = str(value).encode("utf-8", "surrogatepass")  # what was tampered with may be no text
    return b"%d:%b," % (len(text), text)
