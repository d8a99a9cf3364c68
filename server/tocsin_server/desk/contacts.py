"""`contacts.yml`: who is reached, and how, for what decision tables call `on_call`, `team_lead` and so on.

    contacts:
    - {role: on_call, page: 49170123@sms.example.net}
    - {role: on_call, client: acme, mail: night@example.net, page: [a@pager.example.net, b@pager.example.net]}
    - {role: team_lead, team: servers, mail: anna@example.net}

Read strictly, all or nothing. The most special entry counts: for client and team, for the client, for the team,
then what teams and people have written down themselves, then the entry for all.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

from tocsin_protocol.vocabulary import NoticeChannel
from tocsin_server.decisions.forms import TEAM_LEAD, WATCHERS
from tocsin_server.desk.ruling import Whom
from tocsin_server.errors import Unprocessable, suggestion
from tocsin_server.estate.names import checked_mail
from tocsin_server.yaml_files import FileErrors, read_text
from tocsin_server.yaml_nodes import BadYaml, Fields, composed, line_of, scalar

FILE = "contacts.yml"
REMEDY = "look at the shipped config/contacts.yml"
ROLES = ("team", TEAM_LEAD, "duty_manager", "account_manager", "on_call")
"""Who owns a ticket, who asks and who watches have addresses of their own."""
MOST_ADDRESSES = 20


class ContactsError(NamedTuple):
    """What is wrong in the file."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class Place(NamedTuple):
    """For whom an entry is; an empty word is any."""

    role: str
    client: str = ""
    team: str = ""


class Addresses(NamedTuple):
    """Where somebody is reached."""

    mail: tuple[str, ...] = ()
    page: tuple[str, ...] = ()

    def by(self, channel: NoticeChannel) -> tuple[str, ...]:
        return self.page if channel is NoticeChannel.PAGE else self.mail


Contacts = Mapping[Place, Addresses]
NO_CONTACTS: Contacts = MappingProxyType({})


class Parties(NamedTuple):
    """Who has to do with a ticket, and their addresses as far as the database has them."""

    client: str
    team: str = ""
    owner: str = ""
    requester: str = ""
    """Somebody of the ticket's own client."""
    team_mail: str = ""
    leads: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()


def recipients(contacts: Contacts, parties: Parties, whom: Whom) -> tuple[str, ...]:
    """The addresses of who is meant; a page goes by mail where nobody has a pager, and nobody has none."""
    if whom.is_nobody:
        return ()
    known = _known(parties, whom.to)
    places = [] if whom.to not in ROLES else list(_places(contacts, parties, whom.to))
    ordered = [*places[:-1], Addresses(known), *places[-1:]]
    for channel in (NoticeChannel(whom.by), NoticeChannel.MAIL):
        found = next((each.by(channel) for each in ordered if each.by(channel)), ())
        if found:
            return found
    return ()


def _places(contacts: Contacts, parties: Parties, role: str) -> Iterator[Addresses]:
    for client, team in ((parties.client, parties.team), (parties.client, ""), ("", parties.team), ("", "")):
        yield contacts.get(Place(role, client, team), Addresses())


def _known(parties: Parties, to: str) -> tuple[str, ...]:
    found = {
        "owner": (parties.owner,),
        "requester": (parties.requester,),
        "team": (parties.team_mail,),
        TEAM_LEAD: parties.leads,
        WATCHERS: parties.watchers,
    }
    return tuple(each for each in found.get(to, ()) if each)


# -- the file


def load_contacts(file: Path) -> Contacts:
    """What the file says; raises `FileErrors`. `OSError` is the caller's."""
    try:
        return MappingProxyType(dict(_read(composed(read_text(file)))))
    except BadYaml as wrong:
        raise FileErrors([ContactsError(file.name, wrong.line, wrong.reason)], remedy=REMEDY) from wrong


def _read(node: yaml.Node | None) -> Iterator[tuple[Place, Addresses]]:
    if node is None:
        return
    seen: set[Place] = set()
    for each in Fields(node, ("contacts",), what="the file").items("contacts"):
        place, addresses = _entry(each)
        if place in seen:
            raise BadYaml(
                line_of(each), f"there is an entry for {place.role} of the same client and team already"
            )
        seen.add(place)
        yield place, addresses


def _entry(node: yaml.Node) -> tuple[Place, Addresses]:
    fields = Fields(node, ("role", "client", "team", "mail", "page"), what="a contact")
    role = fields.wanted("role")
    if role.text not in ROLES:
        raise BadYaml(role.line, f"{role.text[:40]!r} is no role{suggestion(role.text, ROLES)}")
    addresses = Addresses(_addresses(fields, "mail"), _addresses(fields, "page"))
    if not any(addresses):
        raise BadYaml(fields.line, "a contact needs 'mail' or 'page'")
    return Place(role.text, fields.text("client").text, fields.text("team").text), addresses


def _addresses(fields: Fields, name: str) -> tuple[str, ...]:
    """One, or a list."""
    node = fields.node(name)
    if node is None:
        return ()
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if not 0 < len(nodes) <= MOST_ADDRESSES:
        raise BadYaml(line_of(node), f"{name!r} of a contact has 1 to {MOST_ADDRESSES} addresses")
    return tuple(dict.fromkeys(_address(each, name) for each in nodes))


def _address(node: yaml.Node, name: str) -> str:
    try:
        return checked_mail(scalar(node, f"an address of {name!r}"))
    except Unprocessable as wrong:
        raise BadYaml(line_of(node), wrong.message) from wrong
