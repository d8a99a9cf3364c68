"""The client speaks the contract, disarms what it hears, and says what went wrong in one line."""

import asyncio
import hashlib
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import msgspec
import pytest
import trustme
from tests.tui import scene
from tests.tui.fake import FakeServer
from tests.tui.hostile import HOSTILE
from tests.tui.test_safe import is_harmless

from tocsin_protocol.events import TicketChanged
from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketPage
from tocsin_tui.client import Client, complaint, decode
from tocsin_tui.errors import BadAnswer, BadConfig, Lost, Overtaken, Refused, SignedOut, Unreachable
from tocsin_tui.repeats import MOST, Repeats

URL = "http://127.0.0.1:8443"


@pytest.fixture
def client(server: FakeServer) -> Client:
    return Client(URL, token=server.token, transport=server)


async def test_a_page_of_tickets_has_the_types_of_the_contract(client: Client) -> None:
    page = await client.tickets()

    assert scene.a_ticket() in page.tickets
    assert page.counts.open == 13


async def test_logging_in_gives_the_token_that_all_else_uses(server: FakeServer) -> None:
    client = Client(URL, transport=server)

    answer = await client.login("alice", "correct")

    assert scene.ALICE == answer.person == await client.me()


async def test_a_wrong_password_is_said_in_the_servers_words(server: FakeServer) -> None:
    with pytest.raises(SignedOut, match="login or password is wrong"):
        await Client(URL, transport=server).login("alice", "guessed")


async def test_a_ticket_that_has_changed_is_overtaken(client: Client) -> None:
    with pytest.raises(Overtaken, match="has changed since: read it again"):
        await client.take(4812, version=99)


async def test_a_server_that_is_away_is_unreachable(client: Client, server: FakeServer) -> None:
    server.down = "connection refused"

    with pytest.raises(Unreachable, match="cannot be reached: connection refused"):
        await client.status()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, SignedOut),
        (403, Refused),
        (404, Refused),
        (409, Overtaken),
        (412, Overtaken),
        (429, Unreachable),  # it will answer later
        (500, Lost),
        (503, Unreachable),
    ],
)
def test_each_status_is_the_error_of_what_one_can_do(status: int, error: type[Exception]) -> None:
    assert type(complaint(httpx.Response(status, content=b"<html>nginx</html>"))) is error


class Leaky(httpx.AsyncBaseTransport):
    """A line that loses the answers to the first requests; the requests arrive."""

    def __init__(self, server: FakeServer, losses: int) -> None:
        self._server = server
        self._losses = losses
        self.keys: list[str] = []
        self.has_asked = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key", ""))
        self.has_asked.set()
        answer = await self._server.handle_async_request(request)
        if len(self.keys) <= self._losses:
            raise httpx.ReadError("broken pipe")
        return answer


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_tui.client.AGAIN_S", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_change_whose_answer_is_lost_is_sent_again_under_its_key(server: FakeServer) -> None:
    leaky = Leaky(server, losses=1)
    client = Client(URL, token=server.token, transport=leaky)

    await client.comment(4812, "rung by hand")
    await client.comment(4812, "rung by hand")

    first, again, another = leaky.keys
    assert first == again != another
    assert all(re.fullmatch('"[!-~]{16,}"', key) for key in leaky.keys)


@pytest.mark.usefixtures("at_once")
async def test_what_a_technician_sends_again_after_a_loss_is_the_same_request(server: FakeServer) -> None:
    leaky = Leaky(server, losses=2)
    client = Client(URL, token=server.token, transport=leaky)

    with pytest.raises(Lost, match="broke off: broken pipe"):
        await client.comment(4812, "rung by hand")
    await client.comment(4812, "another thing")
    await client.comment(4812, "rung by hand")

    lost, _, other, same = leaky.keys
    assert lost == same != other


async def test_what_never_left_is_not_sent_twice_and_reading_has_no_key(
    client: Client, server: FakeServer
) -> None:
    await client.ticket(4812)
    server.down = "connection refused"
    with pytest.raises(Unreachable):
        await client.comment(4812, "x")

    assert server.asked == ["GET /tickets/4812"]


@pytest.mark.usefixtures("at_once")
async def test_what_is_broken_off_and_sent_again_is_the_same_request(server: FakeServer) -> None:
    leaky = Leaky(server, losses=0)
    client = Client(URL, token=server.token, transport=leaky)
    server.is_free.clear()
    sending = asyncio.create_task(client.comment(4812, "once"))
    await asyncio.wait_for(leaky.has_asked.wait(), 10)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    server.is_free.set()
    await client.comment(4812, "once")
    await client.comment(4812, "once")

    broken_off, again, another = leaky.keys
    assert broken_off == again != another


async def test_what_the_server_still_works_at_is_asked_for_again(client: Client, server: FakeServer) -> None:
    server.refusals["/comment"] = Problem(title="Conflict", status=409, type="in-work", detail="in work")

    with pytest.raises(Lost, match="in work"):
        await client.comment(4812, "x")

    assert server.asked == ["POST /tickets/4812/comment"] * 2


def test_of_lost_requests_the_latest_are_remembered() -> None:
    repeats = Repeats()
    keys = [repeats.key("/tickets", str(number).encode()) for number in range(MOST + 1)]
    for number, key in enumerate(keys):
        repeats.lost("/tickets", str(number).encode(), key)

    assert repeats.key("/tickets", b"0") not in keys
    assert repeats.key("/tickets", b"1") == keys[1]
    assert repeats.key("/tickets", b"1") != keys[1]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"tickets": 3}', b"[" * 100_000, b"\xff\xfe"])
def test_an_answer_outside_the_contract_is_said_and_not_raised_through(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        decode(body, TicketPage)


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_hostile_string_gets_through(text: str, server: FakeServer, client: Client) -> None:
    row = scene.a_ticket(1, title=text, host=text, client=text, site=text, owner=text)
    server.details = {1: scene.detail(row)}

    detail = await client.ticket(1)

    words = [detail.ticket.title, detail.ticket.host, detail.ticket.owner, detail.events[0].text]
    words += [*detail.alerts[0].labels.values(), *detail.alerts[0].annotations.values()]
    assert all(is_harmless(word) for word in words)


async def test_a_timeline_may_list_why_nobody_was_told(client: Client, server: FakeServer) -> None:
    detail = server.details[4812]
    event = msgspec.structs.replace(detail.events[0], data={"withheld": ["parent sw-1 is down\x1b[2J"]})
    server.details[4812] = msgspec.structs.replace(detail, events=[event])

    assert (await client.ticket(4812)).events[0].data == {"withheld": ["parent sw-1 is down[2J"]}


async def test_events_come_with_their_types_and_ids(client: Client, server: FakeServer) -> None:
    stream = client.events("")
    opened = await anext(stream)
    server.happen(scene.a_ticket(version=2), "taken")
    server.tell("something-newer")
    server.tell("reset")

    changed, reset = await anext(stream), await anext(stream)
    await stream.aclose()

    assert opened.name == "open"
    assert isinstance(changed.message, TicketChanged)
    assert tuple(reset) == ("run-3", "reset", None)


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(client: Client, server: FakeServer) -> None:
    server.tell("rules")
    server.tell("reset")

    stream = client.events("run-1")
    await anext(stream)
    missed = await anext(stream)
    await stream.aclose()

    assert missed.name == "reset"


async def test_a_stream_of_another_kind_is_no_stream(client: Client, server: FakeServer) -> None:
    server.bodies["/events"] = b"<html>"

    with pytest.raises(BadAnswer, match="is it a tocsin server"):
        await anext(client.events(""))


class Hello(BaseHTTPRequestHandler):
    """Answers everything with the status of the scene."""

    def do_GET(self) -> None:
        body = msgspec.json.encode(scene.STATUS)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def tls(tmp_path):
    """An HTTPS server with a certificate that no authority knows: its URL and fingerprint."""
    own = trustme.CA().issue_cert("desk.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    der = ssl.PEM_cert_to_DER_cert(own.cert_chain_pems[0].bytes().decode())
    yield f"https://127.0.0.1:{server.server_port}", hashlib.sha256(der).hexdigest()
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_pinned_certificate_is_trusted_whatever_its_name(tls) -> None:
    url, fingerprint = tls
    client = Client(url, fingerprint=fingerprint.upper())

    status = await client.status()
    await client.aclose()

    assert status == scene.STATUS


async def test_another_certificate_than_the_pinned_one_gets_no_word_of_ours(tls) -> None:
    url, fingerprint = tls

    with pytest.raises(BadConfig, match=fingerprint):
        await Client(url, token="secret", fingerprint="ab" * 32).status()


async def test_without_a_fingerprint_an_unknown_certificate_is_refused(tls) -> None:
    url, _ = tls
    client = Client(url)

    with pytest.raises(Unreachable, match="certificate verify failed"):
        await client.status()
    await client.aclose()
    await hung_up()


async def hung_up() -> None:
    """A connection that was refused is closed a few turns of the event loop later."""
    for _ in range(20):
        await asyncio.sleep(0)
