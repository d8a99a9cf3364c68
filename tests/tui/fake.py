"""A server of api.py in this process: no sockets, no threads, and it can be told to fail."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import httpx
import msgspec
from tests.tui import scene

from tocsin_protocol.acts import BulkAnswer, BulkResult, NewTicket
from tocsin_protocol.alerts import Alert, AlertPage
from tocsin_protocol.api import MAX_PAGE, PREFIX
from tocsin_protocol.events import TicketChanged
from tocsin_protocol.hosts import HostDetail, HostPage, HostRow
from tocsin_protocol.lookers import Looker, Lookers, Looking
from tocsin_protocol.messages import Message
from tocsin_protocol.people import CODE_REQUIRED, ENROLMENT_REQUIRED, LoginAnswer, LoginRequest
from tocsin_protocol.problems import Problem
from tocsin_protocol.silences import NewSilence, Silence, SilencePage
from tocsin_protocol.tickets import TicketCounts, TicketDetail, TicketEvent, TicketPage, TicketRow
from tocsin_protocol.totp import RecoveryCodes, TotpOffer
from tocsin_protocol.vocabulary import (
    OPEN_TICKET_STATES,
    ActorKind,
    AlertState,
    SilenceState,
    TicketEventKind,
    TicketState,
)


class FakeServer(httpx.AsyncBaseTransport):
    """What the console talks to. Its state is public: a test changes it and says what happened."""

    def __init__(self, tickets: list[TicketRow] | None = None) -> None:
        rows = [*scene.tickets(), *scene.solved()] if tickets is None else tickets
        self.details = {row.id: scene.detail(row) for row in rows}
        self.hosts = {row.id: row for row in scene.hosts()}
        self.searches: list[str] = []
        """The words that were looked for."""
        self.quiet = scene.quiet() if tickets is None else []
        """The alerts that have no ticket."""
        self.silences: list[Silence] = []
        self.status = scene.STATUS
        self.token = "tok"
        self.code = ""
        """The one-time code of now; empty while none is asked for."""
        self.must_enrol = False
        self.page = MAX_PAGE
        self.down: str = ""
        """Why it cannot be reached; empty while it can."""
        self.refusals: dict[str, Problem] = {}
        """What is answered instead, by the end of the path."""
        self.bodies: dict[str, bytes] = {}
        """Raw bodies, by the end of the path."""
        self.is_free = asyncio.Event()
        """Acts wait until it is set."""
        self.is_free.set()
        self.asked: list[str] = []
        self.looked: list[tuple[int, str]] = []
        """What the console has said that it shows, `gone` where no more."""
        self.lookers: dict[int, list[Looker]] = {}
        """Who else looks, by ticket."""
        self.streams: list[asyncio.Queue[bytes | None]] = []
        self.told: list[bytes] = []

    def happen(self, row: TicketRow, kind: TicketEventKind) -> None:
        """A ticket has changed: tell every stream."""
        known = self.details.get(row.id) or scene.detail(row)
        self.details[row.id] = msgspec.structs.replace(known, ticket=row)
        self.tell("ticket", TicketChanged(ticket=row, happened=kind, counts=self.counts()))

    def tell(self, name: str, message: Message | None = None) -> None:
        data = b"{}" if message is None else msgspec.json.encode(message)
        self.told.append(b"id: run-%d\nevent: %s\ndata: %s\n\n" % (len(self.told) + 1, name.encode(), data))
        for stream in self.streams:
            stream.put_nowait(self.told[-1])

    def hang_up(self) -> None:
        """End all streams."""
        for stream in self.streams:
            stream.put_nowait(None)

    def counts(self) -> TicketCounts:
        rows = [detail.ticket for detail in self.details.values() if detail.ticket.state in OPEN_TICKET_STATES]
        return TicketCounts(
            open=len(rows),
            unowned=sum(row.owner is None for row in rows),
            by_priority={str(p): n for p, n in Counter(row.priority for row in rows).items()},
        )

    def alerts(self) -> list[Alert]:
        """All that are going on."""
        return [
            alert for detail in self.details.values() for alert in detail.alerts if _is_active(alert)
        ] + self.quiet

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError(self.down)
        path = request.url.path.removeprefix(PREFIX)
        if path.endswith("/looking"):
            return self._looking(int(path.split("/")[2]), request.content)
        self.asked.append(f"{request.method} {path}")
        if path == "/login":
            return self._login(msgspec.json.decode(request.content, type=LoginRequest))
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _problem(401, "unauthenticated", "your session has ended", "sign in again")
        if path.startswith("/me/totp"):
            return self._own_codes(path, request.content)
        if said := self._instead(path):
            return said
        if path == "/events":
            return self._events(request.headers.get("last-event-id", ""))
        return await self._answer(request, path)

    def _instead(self, path: str) -> httpx.Response | None:
        """What a test wants to be answered."""
        if self.must_enrol:
            return _problem(403, ENROLMENT_REQUIRED, "alice needs one-time codes to sign in", "enrol one")
        for end, problem in self.refusals.items():
            if path.endswith(end):
                return _json(problem, problem.status)
        for end, body in self.bodies.items():
            if path.endswith(end):
                return httpx.Response(200, content=body)
        return None

    def _login(self, question: LoginRequest) -> httpx.Response:
        if (question.login, question.password) != ("alice", "correct"):
            return _problem(401, "unauthenticated", "login or password is wrong", "")
        if self.code and question.code != self.code:
            said = "the code is wrong, or was used already" if question.code else "a code is needed as well"
            return _problem(401, CODE_REQUIRED, said, "")
        expires = scene.NOW + timedelta(hours=12)
        return _json(
            LoginAnswer(token=self.token, expires_at=expires, person=scene.ALICE, must_enrol=self.must_enrol)
        )

    def _own_codes(self, path: str, body: bytes) -> httpx.Response:
        """The new device shows 654321, and is the one that counts from then on."""
        said = msgspec.json.decode(body)
        if path == "/me/totp":
            if said["password"] != "correct":
                return _problem(401, "unauthenticated", "login or password is wrong", "")
            if self.code and said["code"] != self.code:
                return _problem(401, CODE_REQUIRED, "a code is needed as well", "")
            secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
            uri = f"otpauth://totp/tocsin:alice?secret={secret}&issuer=tocsin"
            return _json(TotpOffer(secret=secret, uri=uri))
        if said["code"] != "654321":
            return _problem(422, "unprocessable", "this is not the code of now", "type the newest one")
        self.code, self.must_enrol = "654321", False
        return _json(RecoveryCodes(codes=[f"abcd-efgh-ijkl-mno{letter}" for letter in "abcdefghij"]))

    def _events(self, last_id: str) -> httpx.Response:
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        number = int(last_id.rpartition("-")[2] or 0)
        for told in self.told[number:]:
            stream.put_nowait(told)
        self.streams.append(stream)

        async def bytes_of() -> AsyncIterator[bytes]:
            yield b": hello\n\n"
            while (piece := await stream.get()) is not None:
                yield piece
            self.streams.remove(stream)

        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=bytes_of())

    async def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "DELETE":
            return self._end_silence(int(path.rpartition("/")[2]))
        if request.method == "POST":
            await self.is_free.wait()
            return self._act(path, request.content)
        params = request.url.params
        alerts = {alert.id: alert for detail in self.details.values() for alert in detail.alerts}
        answers: dict[str, Callable[[int], msgspec.Struct]] = {
            "/me": lambda _: scene.ALICE,
            "/status": lambda _: self.status,
            "/tickets": lambda _: self._tickets(params),
            "/tickets/N": lambda id_: self.details[id_],
            "/alerts": lambda _: AlertPage(alerts=self.alerts()[:MAX_PAGE]),
            "/alerts/N/chart": lambda id_: scene.chart(alerts[id_]),
            "/silences": lambda _: self._silences(params["which"]),
            "/hosts": lambda _: HostPage(hosts=list(self.hosts.values())),
            "/hosts/N": lambda id_: self._host(self.hosts[id_]),
            "/hosts/N/chart": lambda _: scene.cpu_chart(),
        }
        number = re.search(r"\d+", path)
        try:
            return _json(answers[re.sub(r"\d+", "N", path)](int(number.group()) if number else 0))
        except KeyError:
            return _problem(404, "not-found", f"there is no {path}", "")

    def _silence(self, wish: NewSilence) -> httpx.Response:
        if not wish.matchers.startswith("{"):
            return _problem(422, "unprocessable", f"matchers: {wish.matchers!r} is not a matcher", "mend it")
        made = Silence(
            id=max((each.id for each in self.silences), default=0) + 1, client=wish.client,
            matchers=wish.matchers, state=SilenceState.ACTIVE, starts_at=scene.NOW, ends_at=wish.ends_at,
            author="alice", comment=wish.comment,
        )  # fmt: skip
        for at, was in enumerate(self.silences):
            if was.id == wish.id and was.state is not SilenceState.EXPIRED:
                if (was.client, was.matchers) == (wish.client, wish.matchers):
                    made = msgspec.structs.replace(made, id=was.id, state=was.state, starts_at=was.starts_at)
                    del self.silences[at]
                else:
                    self.silences[at] = _ended(was)
                break
        self.silences.append(made)
        self.tell("rules")
        return _json(made, 201)

    def _end_silence(self, silence_id: int) -> httpx.Response:
        at = next((at for at, each in enumerate(self.silences) if each.id == silence_id), None)
        if at is None:
            return _problem(404, "not-found", f"there is no silence {silence_id}", "")
        self.silences[at] = _ended(self.silences[at])
        self.tell("rules")
        return _json(self.silences[at])

    def _silences(self, which: str) -> SilencePage:
        found = sorted(self.silences, key=lambda each: each.ends_at, reverse=True)
        if which == "all":
            return SilencePage(silences=found[:500])
        return SilencePage(silences=[each for each in found if each.state is not SilenceState.EXPIRED])

    def _host(self, row: HostRow) -> HostDetail:
        alerts = [alert for alert in self.alerts() if alert.host == row.name]
        return msgspec.structs.replace(scene.host_detail(row), alerts=alerts)

    def _tickets(self, params: httpx.QueryParams) -> TicketPage:
        state, words, start = params["state"], params.get("q", ""), int(params.get("cursor", 0))
        rows = [
            d.ticket
            for d in self.details.values()
            if state == "all" or (d.ticket.state in OPEN_TICKET_STATES) is (state == "open")
            if params.get("client") in {None, d.ticket.client}
            if not words or _has(d, words)
        ]
        if words:
            self.searches.append(words)
        end = start + min(self.page, int(params["limit"]))
        return TicketPage(
            tickets=rows[start:end],
            counts=self.counts(),
            next=str(end) if end < len(rows) else None,
            seen=f"run-{len(self.told)}",
        )

    def _act(self, path: str, body: bytes) -> httpx.Response:
        if path == "/tickets":
            new = msgspec.json.decode(body, type=NewTicket)
            row = scene.a_ticket(
                5000, client=new.client, title=new.title, priority=new.priority, alert_state=None
            )
            self.details[row.id] = TicketDetail(ticket=row, events=[], alerts=[])
            return _json(self.details[row.id], 201)
        if path == "/silences":
            return self._silence(msgspec.json.decode(body, type=NewSilence))
        if path == "/tickets/bulk":
            return self._bulk(msgspec.json.decode(body))
        number, verb = re.fullmatch(r"/tickets/(\d+)/(\w+)", path).groups()
        detail = self.details[int(number)]
        if verb in {"watch", "unwatch"}:
            watchers = [login for login in detail.watchers if login != "alice"]
            watchers += ["alice"] if verb == "watch" else []
            self.details[int(number)] = msgspec.structs.replace(detail, watchers=watchers)
            return _json(self.details[int(number)])
        said = msgspec.json.decode(body)
        row = detail.ticket
        if said.get("version") not in {None, row.version}:
            return _problem(412, "ticket-changed", f"ticket {number} has changed since", "read it again")
        if verb == "acknowledge" and all(alert.acknowledged_by for alert in detail.alerts):
            return _problem(
                409, "conflict", f"ticket {number} has no alert that fires", "there is nothing to do"
            )
        if verb == "take" and row.owner not in {None, "alice"}:
            return _problem(409, "taken", f"{row.owner} has it", "")
        changes, kind = {
            "take": ({"owner": "alice", "state": TicketState.IN_PROGRESS}, TicketEventKind.TAKEN),
            "release": ({"owner": None, "state": TicketState.NEW}, TicketEventKind.RELEASED),
            "link": ({}, TicketEventKind.LINKED),
            "unlink": ({}, TicketEventKind.UNLINKED),
            "merge": ({"state": TicketState.CLOSED, "merged_into": said.get("into")}, TicketEventKind.MERGED),
            "unmerge": ({"state": TicketState.NEW, "merged_into": None}, TicketEventKind.UNMERGED),
            "prioritise": ({"priority": said.get("priority") or 2}, TicketEventKind.PRIORITISED),
            "assign": (
                {
                    "team": said.get("team") or row.team,
                    "owner": said.get("person"),
                    "supplier": said.get("supplier") or "",
                },
                TicketEventKind.ASSIGNED,
            ),
            "comment": ({}, TicketEventKind.COMMENTED),
            "acknowledge": ({}, TicketEventKind.ACKNOWLEDGED),
            "resolve": ({"state": TicketState.SOLVED, "solved_at": scene.NOW}, TicketEventKind.SOLVED),
            "wait": (
                {"state": TicketState.PENDING, "waits_for": said.get("reason"), "wakes_at": _time(said)},
                TicketEventKind.WAITING,
            ),
            "resume": ({"state": TicketState.NEW, "waits_for": "", "wakes_at": None}, TicketEventKind.RESUMED),
            "close": ({"state": TicketState.CLOSED}, TicketEventKind.CLOSED),
            "reopen": ({"state": TicketState.NEW, "solved_at": None}, TicketEventKind.REOPENED),
        }[verb]
        event = TicketEvent(
            id=900 + len(detail.events), at=scene.NOW, kind=kind, actor_kind=ActorKind.PERSON, actor="alice",
            text=said.get("text", ""),
            data={"for": said["reason"]} if "reason" in said else {},
            public=said.get("public", False),
        )  # fmt: skip
        row = msgspec.structs.replace(row, version=row.version + 1, updated_at=scene.NOW, **changes)
        alerts = [_known(alert) for alert in detail.alerts] if verb == "acknowledge" else detail.alerts
        self.details[row.id] = msgspec.structs.replace(
            detail, ticket=row, events=[*detail.events, event], alerts=alerts
        )
        if verb == "unlink":
            self._untie(row.id, said["other"])
        self.happen(row, kind)
        return _json(self.details[row.id])

    def _untie(self, *both: int) -> None:
        for id_ in both:
            left = [tie for tie in self.details[id_].ties if tie.ticket not in both]
            self.details[id_] = msgspec.structs.replace(self.details[id_], ties=left)

    def _looking(self, ticket_id: int, body: bytes) -> httpx.Response:
        said = msgspec.json.decode(body, type=Looking)
        self.looked.append((ticket_id, "gone" if said.gone else said.writing))
        return _json(Lookers(lookers=self.lookers.get(ticket_id, [])))

    def _bulk(self, said: dict) -> httpx.Response:
        results = []
        for ticket in said["tickets"]:
            alone = msgspec.json.encode(said | {"version": ticket["version"]})
            answer = self._act(f"/tickets/{ticket['id']}/{said['act']}", alone)
            problem = None if answer.is_success else msgspec.json.decode(answer.content, type=Problem)
            results.append(BulkResult(id=ticket["id"], status=answer.status_code, problem=problem))
        return _json(BulkAnswer(results=results))


def _has(detail: TicketDetail, words: str) -> bool:
    """Whether all are in its title or its timeline."""
    there = " ".join([detail.ticket.title, *(event.text for event in detail.events)]).casefold().split()
    return all(any(word.startswith(asked) for word in there) for asked in words.split())


def _time(said: dict) -> datetime | None:
    return datetime.fromisoformat(said["until"]) if said.get("until") else None


def _ended(silence: Silence) -> Silence:
    return msgspec.structs.replace(silence, state=SilenceState.EXPIRED, ends_at=scene.NOW)


def _known(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, acknowledged_by="alice", acknowledged_at=scene.NOW)


def _is_active(alert: Alert) -> bool:
    return alert.state in {AlertState.PENDING, AlertState.FIRING, AlertState.UNKNOWN}


def _json(message: msgspec.Struct, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=msgspec.json.encode(message))


def _problem(status: int, kind: str, detail: str, remedy: str) -> httpx.Response:
    return _json(Problem(type=kind, title="no", status=status, detail=detail, remedy=remedy), status)
