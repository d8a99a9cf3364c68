"""The one thing of the console that speaks HTTP.

Every method is one call of `tocsin_protocol.api` and gives its type back. An answer is decoded, made harmless
by `safe_tree`, and only then turned into its type: behind this boundary no string can act on a terminal. What
goes wrong leaves as one of the errors of `tocsin_tui.errors`.
"""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
import httpx_sse
import msgspec

from tocsin_protocol.acts import (
    Acknowledgement,
    BulkAct,
    BulkAnswer,
    Change,
    Link,
    Merge,
    NewComment,
    NewTicket,
    Prioritisation,
    Resolution,
    Unmerge,
    Wait,
)
from tocsin_protocol.alerts import AlertPage
from tocsin_protocol.api import MAX_PAGE, PREFIX
from tocsin_protocol.events import EVENTS
from tocsin_protocol.hosts import HostDetail, HostPage
from tocsin_protocol.lookers import Lookers, Looking
from tocsin_protocol.messages import Message, Question
from tocsin_protocol.people import CODE_REQUIRED, ENROLMENT_REQUIRED, LoginAnswer, LoginRequest, Person
from tocsin_protocol.problems import Problem
from tocsin_protocol.query import Chart
from tocsin_protocol.silences import NewSilence, Silence, SilencePage
from tocsin_protocol.status import ServerStatus
from tocsin_protocol.teams import Assign
from tocsin_protocol.tickets import TicketDetail, TicketPage
from tocsin_protocol.totp import NewTotp, RecoveryCodes, TotpCode, TotpOffer
from tocsin_tui.address import checked_url, is_loopback
from tocsin_tui.errors import (
    BadAnswer,
    BadConfig,
    CodeRequired,
    ConsoleError,
    Lost,
    Overtaken,
    Refused,
    SignedOut,
    Unreachable,
)
from tocsin_tui.repeats import Repeats
from tocsin_tui.safe import safe_line, safe_tree

ANSWER_S = 10.0
SILENCE_S = 25.0
"""A stream that says nothing for so long is dead: the server's comment line comes every 15 s."""
AGAIN_S = 0.5
"""After this a change whose answer was lost is sent once more."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

MOST_FOUND = 200
"""How many tickets of a search are shown: who looks for more types another word."""

T = TypeVar("T")


class Event(NamedTuple):
    """One server-sent event; `message` is nothing for those that carry nothing, such as `reset`."""

    id: str
    name: str
    message: Message | None


class Client:
    """A connection to one server. `token` may come later, from `login`."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        fingerprint: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = checked_url(url)
        self.token = token
        self._fingerprint = fingerprint.replace(":", "").lower()
        self._transport = transport
        self._opened: httpx.AsyncClient | None = None
        self._repeats = Repeats()

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None

    async def login(self, login: str, password: str, code: str = "") -> LoginAnswer:
        """Sign in; the token is kept for all that follows. Raises `CodeRequired` where a code is asked for."""
        question = LoginRequest(login=login, password=password, code=code)
        answer = await self._ask("POST", "/login", LoginAnswer, content=msgspec.json.encode(question))
        self.token = answer.token
        return answer

    async def begin_codes(self, password: str, code: str) -> TotpOffer:
        """A new secret for one-time codes; raises `CodeRequired` where a device is enrolled already."""
        question = msgspec.json.encode(NewTotp(password=password, code=code))
        return await self._ask("POST", "/me/totp", TotpOffer, content=question)

    async def confirm_codes(self, code: str) -> RecoveryCodes:
        """Put the new secret in force by its first code."""
        question = msgspec.json.encode(TotpCode(code=code))
        return await self._ask("POST", "/me/totp/confirm", RecoveryCodes, content=question)

    async def me(self) -> Person:
        return await self._get("/me", Person)

    async def status(self) -> ServerStatus:
        return await self._get("/status", ServerStatus)

    async def tickets(self, *, state: str = "open", cursor: str | None = None) -> TicketPage:
        """One page of tickets; the server's order."""
        return await self._get("/tickets", TicketPage, state=state, limit=str(MAX_PAGE), cursor=cursor)

    async def search(
        self, words: str, *, state: str, client: str | None = None, most: int = MOST_FOUND
    ) -> TicketPage:
        """The newest tickets with these words, of one client or of all."""
        q = safe_line(words)  # half a letter could not be sent
        return await self._get("/tickets", TicketPage, state=state, client=client, limit=str(most), q=q)

    async def ticket(self, ticket_id: int) -> TicketDetail:
        return await self._get(f"/tickets/{ticket_id}", TicketDetail)

    async def open_ticket(self, ticket: NewTicket) -> TicketDetail:
        return await self._post("/tickets", ticket, TicketDetail)

    async def take(self, ticket_id: int, version: int | None) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/take", Change(version=version), TicketDetail)

    async def release(self, ticket_id: int, version: int | None) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/release", Change(version=version), TicketDetail)

    async def reopen(self, ticket_id: int, version: int | None) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/reopen", Change(version=version), TicketDetail)

    async def wait(
        self, ticket_id: int, version: int | None, *, reason: str, until: datetime | None, text: str
    ) -> TicketDetail:
        question = Wait(reason=reason, until=until, text=text, version=version)
        return await self._post(f"/tickets/{ticket_id}/wait", question, TicketDetail)

    async def resume(self, ticket_id: int, version: int | None) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/resume", Change(version=version), TicketDetail)

    async def close_ticket(self, ticket_id: int, version: int | None) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/close", Change(version=version), TicketDetail)

    async def comment(self, ticket_id: int, text: str, *, public: bool = False) -> TicketDetail:
        """Say something on a ticket; words are welcome whatever has changed, so no version goes along."""
        question = NewComment(text=text, public=public)
        return await self._post(f"/tickets/{ticket_id}/comment", question, TicketDetail)

    async def assign(self, ticket_id: int, wish: Assign) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/assign", wish, TicketDetail)

    async def prioritise(self, ticket_id: int, wish: Prioritisation) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/prioritise", wish, TicketDetail)

    async def link(self, ticket_id: int, wish: Link) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/link", wish, TicketDetail)

    async def unlink(self, ticket_id: int, wish: Link) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/unlink", wish, TicketDetail)

    async def merge(self, ticket_id: int, wish: Merge) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/merge", wish, TicketDetail)

    async def unmerge(self, ticket_id: int, wish: Unmerge) -> TicketDetail:
        return await self._post(f"/tickets/{ticket_id}/unmerge", wish, TicketDetail)

    async def acknowledge(self, ticket_id: int, text: str, version: int | None) -> TicketDetail:
        question = Acknowledgement(text=text, version=version)
        return await self._post(f"/tickets/{ticket_id}/acknowledge", question, TicketDetail)

    async def resolve(
        self, ticket_id: int, text: str, version: int | None, *, children: bool = False
    ) -> TicketDetail:
        question = Resolution(text=text, version=version, children=children)
        return await self._post(f"/tickets/{ticket_id}/resolve", question, TicketDetail)

    async def watch(self, ticket_id: int, *, on: bool) -> TicketDetail:
        """Hear of a ticket that is not one's own, or not any more; twice is once, so it needs no key."""
        verb = "watch" if on else "unwatch"
        return await self._ask("POST", f"/tickets/{ticket_id}/{verb}", TicketDetail)

    async def looking(
        self, ticket_id: int, *, writing: Literal["", "note", "reply"] = "", gone: bool = False
    ) -> Lookers:
        """Say that a ticket is shown here, or not any more; who looks at it."""
        content = msgspec.json.encode(Looking(writing=writing, gone=gone))
        return await self._ask("POST", f"/tickets/{ticket_id}/looking", Lookers, content=content)

    async def bulk(self, act: BulkAct) -> BulkAnswer:
        """One act on many tickets; what has come of each."""
        return await self._post("/tickets/bulk", act, BulkAnswer)

    async def alerts(self) -> AlertPage:
        """The worst alerts that are active, at most a page of them."""
        return await self._get("/alerts", AlertPage, state="active")

    async def silence(self, wish: NewSilence) -> Silence:
        return await self._post("/silences", wish, Silence)

    async def silences(self, *, which: str) -> SilencePage:
        """Those that are `active`, to come among them, or `all` with the latest of those that are over."""
        return await self._get("/silences", SilencePage, which=which)

    async def expire(self, silence_id: int) -> Silence:
        """End a silence now."""
        return await self._ask("DELETE", f"/silences/{silence_id}", Silence)

    async def alert_chart(self, alert_id: int, minutes: int) -> Chart:
        return await self._get(f"/alerts/{alert_id}/chart", Chart, minutes=str(minutes))

    async def hosts(self) -> HostPage:
        return await self._get("/hosts", HostPage)

    async def host(self, host_id: int) -> HostDetail:
        return await self._get(f"/hosts/{host_id}", HostDetail)

    async def host_chart(self, host_id: int, vital: str, minutes: int) -> Chart:
        return await self._get(f"/hosts/{host_id}/chart", Chart, vital=vital, minutes=str(minutes))

    async def events(self, last_id: str) -> AsyncIterator[Event]:
        """The changes after `last_id`, until the stream ends; first comes `Event("", "open", None)`."""
        headers = self._headers() | ({"last-event-id": last_id} if last_id else {})
        timeout = httpx.Timeout(ANSWER_S, read=SILENCE_S)
        try:
            http = await self._http()
            async with httpx_sse.aconnect_sse(
                http, "GET", PREFIX + "/events", headers=headers, timeout=timeout
            ) as source:
                if source.response.is_error:
                    await source.response.aread()
                    raise complaint(source.response)
                if "text/event-stream" not in source.response.headers.get("content-type", ""):
                    raise BadAnswer(f"{self.url} answers no event stream: is it a tocsin server?")
                yield Event("", "open", None)
                async for event in source.aiter_sse():
                    if event.event in EVENTS:  # others are from a newer server
                        yield Event(safe_line(event.id), event.event, _payload(event.event, event.data))
        except httpx.HTTPError as error:
            raise Unreachable(_why(error, self.url)) from error

    async def _get(self, path: str, kind: type[T], **params: str | None) -> T:
        asked = {name: value for name, value in params.items() if value is not None}
        return await self._ask("GET", path, kind, params=asked)

    async def _post(self, path: str, question: Question, kind: type[T]) -> T:
        """Change something, once: where its answer is lost it is sent again, under the same key."""
        content = msgspec.json.encode(question)
        key = self._repeats.key(path, content)
        try:
            with suppress(Lost):
                return await self._ask("POST", path, kind, content=content, key=key)
            await asyncio.sleep(AGAIN_S)
            return await self._ask("POST", path, kind, content=content, key=key)
        except (Unreachable, asyncio.CancelledError):
            self._repeats.lost(path, content, key)
            raise

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        key: str = "",
    ) -> T:
        headers = self._headers() | ({"idempotency-key": key} if key else {})
        try:
            http = await self._http()
            response = await http.request(
                method, PREFIX + path, params=params, content=content, headers=headers
            )
        except _UNSENT as error:
            raise Unreachable(_why(error, self.url)) from error
        except httpx.HTTPError as error:
            raise Lost(_why(error, self.url)) from error
        if not response.is_success:
            raise complaint(response)
        return decode(response.content, kind)

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        return headers | {"authorization": f"Bearer {self.token}"} if self.token else headers

    async def _http(self) -> httpx.AsyncClient:
        if self._opened is None:
            verify = await self._tls()
            self._opened = httpx.AsyncClient(
                base_url=self.url,
                timeout=ANSWER_S,
                verify=verify,
                transport=self._transport,
                trust_env=not is_loopback(self.url),  # a proxy has nothing to do with this machine
            )
        return self._opened

    async def _tls(self) -> ssl.SSLContext:
        if not self.url.startswith("https:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading real roots takes 20 ms
        if not self._fingerprint:
            return ssl.create_default_context()
        return await _pinned(self.url, self._fingerprint)


def decode(body: bytes, kind: type[T]) -> T:
    """An answer's body as its type, every string harmless."""
    try:
        return msgspec.convert(safe_tree(msgspec.json.decode(body)), kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadAnswer(
            f"the server's answer is not what this console knows: {safe_line(str(error))}"
        ) from error


def complaint(response: httpx.Response) -> ConsoleError:
    """The error that an answer with a bad status is."""
    try:
        problem = decode(response.content, Problem)
        said = problem.detail or problem.title
        said += f": {problem.remedy}" if problem.remedy else ""
        kind = problem.type
    except BadAnswer:
        said, kind = f"the server answers {response.status_code}", ""
    if kind == "in-work" or (
        response.is_server_error and response.status_code != httpx.codes.SERVICE_UNAVAILABLE
    ):
        return Lost(said)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return CodeRequired(said) if kind == CODE_REQUIRED else SignedOut(said)
    if kind == ENROLMENT_REQUIRED:
        return SignedOut(said)
    if response.status_code in {httpx.codes.CONFLICT, httpx.codes.PRECONDITION_FAILED}:
        return Overtaken(said)
    if response.is_client_error and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return Refused(said)
    return Unreachable(said)


def _payload(name: str, data: str) -> Message | None:
    kind = EVENTS[name]
    return None if kind is None else decode(data.encode(errors="replace"), kind)


def _why(error: httpx.HTTPError, url: str) -> str:
    if isinstance(error, httpx.ConnectError):
        return f"{url} cannot be reached: {safe_line(str(error)) or 'no connection'}"
    if isinstance(error, httpx.TimeoutException):
        return f"{url} has not answered in time"
    return f"the connection to {url} broke off: {safe_line(str(error)) or type(error).__name__}"


async def _pinned(url: str, fingerprint: str) -> ssl.SSLContext:
    """A context that trusts the one certificate with this fingerprint; nothing secret is sent before."""
    parts = urlsplit(url)
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=looking)
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"{url} cannot be reached: {safe_line(str(error)) or 'no answer in time'}") from error
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()  # nothing was said, so there is no farewell to wait for
    await writer.wait_closed()
    actual = hashlib.sha256(shown).hexdigest()
    if actual != fingerprint:
        raise BadConfig(
            f"{url} shows a certificate with fingerprint {actual}, not {fingerprint}: ask your administrator"
        )
    pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pinned.load_verify_locations(cadata=shown)
    pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    pinned.check_hostname = False  # the fingerprint says who it is, better than a name
    return pinned
