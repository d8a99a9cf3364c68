"""Asks for one page as blackbox_exporter does, and tells how it went under the same names.

No redirect is followed: a page that answers with one fails unless that status is expected, since it is the page
that is declared which is watched. No proxy of the environment is used and no credential sent.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from tocsin_agent.probes.answer import MOST_BODY_BYTES, AnswerReader, Head, Line
from tocsin_agent.probes.declared import Declared
from tocsin_agent.probes.dial import RESOLVER, Deadline, Endpoint, Phases, connect, way
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.handshake import MOST_CA_CHARACTERS, Handshake, broken, shown
from tocsin_agent.readings import Sample, gauge
from tocsin_agent.version import VERSION

_MOST_URL_CHARACTERS = 2000
_MOST_CONTAINS_CHARACTERS = 1000
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9._-]{1,253})|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[!-\"$->@-~]*)?(?P<query>\?[!-\"$-~]*)?"
)


class Page(NamedTuple):
    """What is asked for; shown without its query, which may hold what is nobody's business."""

    is_tls: bool
    host: str
    port: int
    path: str
    query: str

    @property
    def authority(self) -> str:
        """Host and port as the header `host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.authority}{self.path}"


def parse_page(url: str) -> Page | None:
    """The page of a URL in ASCII without credentials and fragment; None for any other."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    is_tls = parts["scheme"] == "https"
    port = int(parts["port"] or (443 if is_tls else 80))
    if not 0 < port < 1 << 16:
        return None
    return Page(is_tls, parts["name"] or parts["ipv6"], port, parts["path"] or "/", parts["query"] or "")


class Http:
    """One page."""

    def __init__(self, options: Mapping[str, object], open_secret: Callable[[str], bytes]) -> None:  # noqa: ARG002 - made as every method
        declared = Declared("http", options)
        page = parse_page(declared.text("url", most=_MOST_URL_CHARACTERS))
        if page is None:
            raise declared.refused("url", "http[s]://NAME[:PORT][/PATH] in ASCII, without user, password and #")
        self._page = page
        self._method = declared.choice("method", ("GET", "HEAD"))
        self._expected = declared.wholes("expect_status", least=100, most=599)
        contains = declared.text_or_none("contains", most=_MOST_CONTAINS_CHARACTERS, is_one_line=False)
        if contains is not None and self._method == "HEAD":
            raise declared.refused("contains", "left out with method HEAD, which has no body to search")
        self._contains = (contains or "").encode()
        ca = declared.text_or_none("ca", most=MOST_CA_CHARACTERS, is_one_line=False)
        is_verified = declared.flag("tls_verify", default=True)
        self._handshake = Handshake(page.host, ca=ca, is_verified=is_verified, protocols=("http/1.1",))

    def probe(self, deadline_s: float) -> list[Sample]:
        """How the page answers; raises `Failed`."""
        look = _Look(self._page, Deadline(deadline_s))
        try:
            look.take(self._request(), self._handshake, is_head_only=self._method == "HEAD")
            self._judge(look)
        except Failed as failed:
            raise Failed(failed.reason, failed.words, [*look.samples(), *failed.samples]) from failed
        return look.samples()

    def _request(self) -> bytes:
        page = self._page
        return (
            f"{self._method} {page.path}{page.query} HTTP/1.1\r\nhost: {page.authority}\r\n"
            f"user-agent: tocsin-agent/{VERSION}\r\naccept: */*\r\naccept-encoding: identity\r\n"
            "connection: close\r\n\r\n"
        ).encode("ascii")

    def _judge(self, look: "_Look") -> None:
        status = look.head.status if look.head else 0
        is_expected = status in self._expected if self._expected else 200 <= status < 300
        if not is_expected:
            wanted = ", ".join(map(str, sorted(self._expected)[:8])) or "2xx"
            raise Failed("status", f"{self._page} answers with status {status}, not {wanted}")
        if self._contains not in look.body:
            where = f"the first {MOST_BODY_BYTES >> 20} MiB of " if len(look.body) == MOST_BODY_BYTES else ""
            raise Failed("content", f"{where}{self._page} does not contain the text that is expected")


class _Look:
    """One look at a page: what has been seen of it so far, however far that was."""

    def __init__(self, page: Page, deadline: Deadline) -> None:
        self._page = page
        self._deadline = deadline
        self._phases = Phases("resolve", "connect", "tls", "processing", "transfer")
        self._endpoint: Endpoint | None = None
        self._shown: list[Sample] = []
        self.head: Head | None = None
        self.body = b""

    def take(self, request: bytes, handshake: Handshake, *, is_head_only: bool) -> None:
        """Resolve, connect, ask and read; raises `Failed`."""
        page, phases = self._page, self._phases
        with phases.timed("resolve"):
            self._endpoint = RESOLVER.endpoint(page.host, page.port, self._deadline)
        with phases.timed("connect"):
            raw = connect(self._endpoint, self._deadline)
        line: Line = raw
        if page.is_tls:
            with phases.timed("tls"):
                line = secured = handshake.secure(raw, self._endpoint, self._deadline)
            self._shown = shown(secured)
        with closing(line):
            reader = AnswerReader(line, str(page), self._deadline)
            with phases.timed("processing"):
                self._send(line, request)
                reader.wait()
            with phases.timed("transfer"):
                self.head = reader.head()
                self.body = reader.body(self.head, is_head_only=is_head_only)

    def _send(self, line: Line, request: bytes) -> None:
        act = f"sending the request to {self._page}"
        try:
            line.settimeout(self._deadline.within(act))
            line.sendall(request)
        except OSError as error:
            raise broken(error, act, self._deadline) from error

    def samples(self) -> list[Sample]:
        """All series of blackbox_exporter, those of what was not come to at 0, as it has them."""
        head = self.head
        samples = self._phases.samples("probe_http_duration_seconds")
        if self._endpoint is not None:
            samples += way(self._endpoint, self._phases)
        return [
            *samples,
            gauge("probe_http_status_code", head.status if head else 0),
            gauge("probe_http_version", head.version if head else 0),
            gauge("probe_http_content_length", head.length if head else 0),
            gauge("probe_http_uncompressed_body_length", len(self.body)),
            gauge("probe_http_redirects", 0),
            gauge("probe_http_ssl", 1 if self._shown else 0),
            *self._shown,
        ]
