"""What each route is asked. A route that is not here fails the proof: who adds one says how it is asked.

A word that begins with `$` is one of `Named`: of the other client, of one that nobody has, or of one's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin_protocol.api import PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What of a client can be named in a question."""

    client: str
    site: str
    login: str
    """Of somebody who sees that client only."""
    word: str
    """It stands in all that people have said there."""
    ticket_id: int
    alert_id: int
    host_id: int
    silence_id: int
    token_id: int
    session: str
    contract: str
    mail: str
    """Of somebody of the client's who asks for things."""

    def values(self) -> list[str]:
        """As they stand in an answer, the longest first."""
        found = {str(getattr(self, name)) for name in self.__slots__}
        return sorted(found, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a route."""

    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    is_of_ours: bool = False
    """The path is one's own, whatever the rest names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a route is asked. `tells` of one that shows a client's rows: who sees all must find them there."""

    asks: Sequence[Ask] = (Ask(),)
    tells: bool = False


PATH_NAMES = {
    "{ticket_id:int}": "ticket_id",
    "{alert_id:int}": "alert_id",
    "{host_id:int}": "host_id",
    "{silence_id:int}": "silence_id",
    "{token_id:int}": "token_id",
    "{name:str}": "session",
    "{contract_id:str}": "contract",
    "{slug:str}": "client",
}
_OWN_SESSION = Asked(asks=())
"""About the session that asks and nothing else; asking would end it, or slow its person down."""
_PLAIN = Asked()
_ROWS = Asked(tells=True)
_CHANGE = Asked((Ask(body={}),))
_SAID = Asked((Ask(body={"text": "x"}),))
_EXPRESSIONS = (
    "node_load1",
    "sum(node_load1)",
    '{__name__=~".+"}',
    'node_load1{site="$site"}',
    'count({word="$word"}) or absent(nothing)',
)
_LIST = (Ask(), Ask({"client": "$client"}), Ask({"host": "$host_id"}))
_ONE_LINK = {"kind": "relates", "other": "$ticket_id"}
_LINK = Asked((Ask(body=_ONE_LINK), Ask(body=_ONE_LINK, is_of_ours=True)))
_SILENCE = {"matchers": 'instance="atlas"', "ends_at": "2033-01-01T00:00:00Z", "client": "$client"}

QUESTIONS: Mapping[tuple[str, str], Asked] = {
    ("GET", "/healthz"): _PLAIN,
    ("GET", "/metrics"): _PLAIN,
    ("POST", f"{PREFIX}/login"): Asked((Ask(body={"login": "$login", "password": "not that one"}),)),
    ("POST", f"{PREFIX}/logout"): _OWN_SESSION,
    ("GET", f"{PREFIX}/me"): _PLAIN,
    ("POST", f"{PREFIX}/me/password"): _OWN_SESSION,
    ("GET", f"{PREFIX}/me/totp"): _PLAIN,
    ("POST", f"{PREFIX}/me/totp"): _OWN_SESSION,
    ("POST", f"{PREFIX}/me/totp/confirm"): _OWN_SESSION,
    ("GET", f"{PREFIX}/me/sessions"): _PLAIN,
    ("DELETE", f"{PREFIX}/me/sessions/{{name:str}}"): _PLAIN,
    ("POST", f"{PREFIX}/me/sessions/revoke-all"): _OWN_SESSION,
    ("GET", f"{PREFIX}/me/tokens"): _PLAIN,
    ("POST", f"{PREFIX}/me/tokens"): _OWN_SESSION,
    ("DELETE", f"{PREFIX}/me/tokens/{{token_id:int}}"): _PLAIN,
    ("GET", f"{PREFIX}/openapi.json"): _PLAIN,
    ("GET", f"{PREFIX}/status"): _PLAIN,
    ("GET", f"{PREFIX}/events"): _ROWS,
    ("GET", f"{PREFIX}/teams"): _PLAIN,
    ("GET", f"{PREFIX}/teams/{{slug:str}}"): _PLAIN,
    ("GET", f"{PREFIX}/clients/{{slug:str}}/sites"): _ROWS,
    ("GET", f"{PREFIX}/clients/{{slug:str}}/requesters"): _ROWS,
    ("POST", f"{PREFIX}/clients/{{slug:str}}/requesters"): Asked(
        (Ask(body={"mail": "new@example.net", "name": "New"}), Ask(body={"mail": "$mail", "name": "New"}))
    ),
    ("GET", f"{PREFIX}/tickets"): Asked(
        (
            *_LIST,
            Ask({"state": "all"}),
            Ask({"state": "all", "owner": "$login"}),
            Ask({"state": "all", "q": "$word"}),
            Ask({"state": "all", "q": "#$ticket_id"}),
            Ask({"state": "all", "q": "printer"}),
            Ask({"state": "all", "cursor": "1-0-$ticket_id"}),
            Ask({"state": "all", "priority": "1", "kind": "incident", "team": "$word"}),
        ),
        tells=True,
    ),
    ("POST", f"{PREFIX}/tickets"): Asked(
        (
            Ask(body={"client": "$client", "title": "it is slow"}),
            Ask(body={"client": "acme", "title": "it is slow", "host_id": "$host_id"}),
            Ask(body={"client": "acme", "title": "it is slow", "requester": "$mail"}),
        )
    ),
    ("POST", f"{PREFIX}/tickets/bulk"): Asked((Ask(body={"act": "take", "tickets": [{"id": "$ticket_id"}]}),)),
    ("GET", f"{PREFIX}/tickets/{{ticket_id:int}}"): _ROWS,
    ("GET", f"{PREFIX}/tickets/{{ticket_id:int}}/why"): _ROWS,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/take"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/release"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/wait"): Asked((Ask(body={"reason": "customer"}),)),
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/resume"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/assign"): Asked((Ask(body={"team": "$word"}),)),
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/comment"): Asked(
        (Ask(body={"text": "x"}), Ask(body={"text": "x", "public": True, "version": 1}))
    ),
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/prioritise"): Asked(
        (Ask(body={"priority": 1, "text": "x"}),)
    ),
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/acknowledge"): _SAID,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/resolve"): _SAID,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/reopen"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/close"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/link"): _LINK,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/unlink"): _LINK,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/merge"): Asked(
        (Ask(body={"into": "$ticket_id"}), Ask(body={"into": "$ticket_id"}, is_of_ours=True))
    ),
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/unmerge"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/watch"): _PLAIN,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/looking"): _CHANGE,
    ("POST", f"{PREFIX}/tickets/{{ticket_id:int}}/unwatch"): _PLAIN,
    ("GET", f"{PREFIX}/contracts"): Asked((Ask(), Ask({"client": "$client"})), tells=True),
    ("GET", f"{PREFIX}/contracts/{{contract_id:str}}"): Asked((Ask(), Ask({"version": "1"})), tells=True),
    ("PUT", f"{PREFIX}/contracts/{{contract_id:str}}"): Asked(
        (Ask(body={"contract": "$contract", "client": "$client"}),)
    ),
    ("GET", f"{PREFIX}/contracts/{{contract_id:str}}/versions"): _ROWS,
    ("GET", f"{PREFIX}/alerts"): Asked((*_LIST, Ask({"state": "all"})), tells=True),
    ("GET", f"{PREFIX}/alerts/{{alert_id:int}}"): _ROWS,
    ("GET", f"{PREFIX}/alerts/{{alert_id:int}}/chart"): _PLAIN,
    ("GET", f"{PREFIX}/alerts/{{alert_id:int}}/why"): _ROWS,
    ("GET", f"{PREFIX}/why"): _ROWS,
    ("GET", f"{PREFIX}/silences"): Asked(
        (Ask(), Ask({"which": "all"}), Ask({"which": "all", "client": "$client"})), tells=True
    ),
    ("POST", f"{PREFIX}/silences"): Asked((Ask(body=_SILENCE), Ask(body={**_SILENCE, "id": "$silence_id"}))),
    ("GET", f"{PREFIX}/silences/{{silence_id:int}}"): _ROWS,
    ("DELETE", f"{PREFIX}/silences/{{silence_id:int}}"): _PLAIN,
    ("GET", f"{PREFIX}/hosts"): Asked((Ask(), Ask({"client": "$client"})), tells=True),
    ("GET", f"{PREFIX}/hosts/{{host_id:int}}"): _ROWS,
    ("GET", f"{PREFIX}/hosts/{{host_id:int}}/chart"): Asked((Ask({"vital": "load"}),)),
    ("GET", f"{PREFIX}/query"): Asked(
        (
            *(Ask({"query": expression}) for expression in _EXPRESSIONS),
            *(Ask({"query": expression, "time": "-2m"}) for expression in _EXPRESSIONS),
            Ask({"query": "up", "client": "$client"}),
        ),
        tells=True,
    ),
    ("GET", f"{PREFIX}/query_range"): Asked(
        (
            *(Ask({"query": expression, "start": "-5m", "step": "60"}) for expression in _EXPRESSIONS),
            Ask({"query": "up", "start": "-5m", "step": "60", "client": "$client"}),
        ),
        tells=True,
    ),
    ("GET", f"{PREFIX}/prometheus/sd"): _PLAIN,
    ("GET", f"{PREFIX}/hosts/{{host_id:int}}/metrics"): _PLAIN,
}


def names(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a query or a body names something of a client."""
    match value:
        case str():
            return "$" in value
        case Mapping():
            return any(map(names, value.values()))
        case list():
            return any(map(names, value))
    return False


def filled(value: Any, named: Named) -> Any:  # noqa: ANN401
    """With what is named put in; a whole value of a number stays one."""
    match value:
        case str():
            return _put_in(value, named)
        case Mapping():
            return {key: filled(each, named) for key, each in value.items()}
        case list():
            return [filled(each, named) for each in value]
    return value


def path_of(template: str, named: Named) -> str:
    """A route's path; raises `KeyError` for a parameter that nobody has said how to fill."""
    parts = (
        str(getattr(named, PATH_NAMES[part])) if part.startswith("{") else part for part in template.split("/")
    )
    return "/".join(parts)


def _put_in(text: str, named: Named) -> Any:  # noqa: ANN401
    if text.startswith("$") and text[1:] in named.__slots__:
        return getattr(named, text[1:])
    for name in sorted(named.__slots__, key=len, reverse=True):
        text = text.replace(f"${name}", str(getattr(named, name)))
    return text
