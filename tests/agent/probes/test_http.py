"""A page is looked at: under blackbox_exporter's names, within its deadline, whatever the peer sends."""

import gzip
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.probes.peers import (
    EXPIRED,
    EXPIRES,
    Authority,
    answering,
    at_most,
    dripping,
    endlessly,
    listening,
    silent,
    unopened,
    values,
)
from tests.examples import share

from tocsin_agent.probes.answer import MOST_BODY_BYTES, AnswerReader
from tocsin_agent.probes.dial import Deadline
from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.http import Http, parse_page

pytestmark = pytest.mark.peers

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GZIPPED = gzip.compress(b"x", mtime=0)
"""The same in each process that runs these tests: a test's name holds it."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def http(port: int, path: str = "/", *, scheme: str = "http", **options) -> Http:
    return Http({"url": f"{scheme}://127.0.0.1:{port}{path}", **options}, unopened)


def failure(probe: Http, deadline_s: float = 5) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(deadline_s)
    return failed.value


def test_a_good_page_gives_the_series_of_blackbox_exporter():
    with listening(answering(GOOD)) as port:
        read = values(http(port, contains="ell").probe(5))

    durations = {name: read.pop(name) for name in list(read) if "duration" in name or "lookup" in name}
    assert read == {
        "probe_ip_protocol": 4,
        "probe_http_status_code": 200,
        "probe_http_version": 1.1,
        "probe_http_content_length": 5,
        "probe_http_uncompressed_body_length": 5,
        "probe_http_redirects": 0,
        "probe_http_ssl": 0,
    }
    phases = ("resolve", "connect", "tls", "processing", "transfer")
    assert set(durations) == {
        "probe_dns_lookup_time_seconds",
        *(f"probe_http_duration_seconds{{{phase}}}" for phase in phases),
    }
    assert all(0 <= seconds < 1 for seconds in durations.values())


def test_over_tls_the_certificate_is_told_too(authority):
    with listening(answering(GOOD), tls=authority.server()) as port:
        read = values(http(port, scheme="https", ca=authority.pem).probe(5))

    assert read["probe_http_ssl"] == 1
    assert read["probe_http_status_code"] == 200
    assert read["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()
    assert read["probe_tls_version_info{TLS 1.3}"] == 1
    assert read["probe_http_duration_seconds{tls}"] > 0


def test_an_expired_certificate_fails_with_its_end_and_is_asked_for_nothing(authority):
    requests = []
    with listening(lambda line: requests.append(line.recv(1)), tls=authority.server(expires=EXPIRED)) as port:
        failed = failure(http(port, scheme="https", ca=authority.pem))

    read = values(failed.samples)
    assert failed.reason == "certificate"
    assert read["probe_ssl_earliest_cert_expiry"] == EXPIRED.timestamp()
    assert read["probe_http_status_code"] == 0
    assert b"".join(requests) == b""


def test_an_expired_certificate_is_good_enough_where_nobody_asks(authority):
    with listening(answering(GOOD), tls=authority.server(expires=EXPIRED)) as port:
        read = values(http(port, scheme="https", tls_verify=False).probe(5))

    assert (read["probe_http_ssl"], read["probe_ssl_earliest_cert_expiry"]) == (1, EXPIRED.timestamp())


def test_what_is_asked_is_one_plain_request_without_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    requests = []

    def serve(line: socket.socket) -> None:
        requests.append(line.recv(65536))
        line.sendall(GOOD)

    with listening(serve) as port:
        http(port, "/health?deep=1").probe(5)

    head = requests[0].decode().lower()
    assert head.startswith(f"get /health?deep=1 http/1.1\r\nhost: 127.0.0.1:{port}\r\n")
    assert "accept-encoding: identity" in head
    assert "authorization" not in head


def test_a_redirect_is_not_followed_and_fails():
    with listening(answering(b"HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n")) as port:
        failed = failure(http(port))

    assert failed.reason == "status"
    assert "answers with status 302, not 2xx" in failed.words
    assert values(failed.samples)["probe_http_status_code"] == 302


def test_a_status_that_is_expected_is_good_and_any_other_is_not():
    with listening(answering(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")) as port:
        assert values(http(port, expect_status=[401]).probe(5))["probe_http_status_code"] == 401
    with listening(answering(GOOD)) as port:
        failed = failure(http(port, expect_status=[401, 301]))

    assert "status 200, not 301, 401" in failed.words


def test_a_text_that_is_missing_fails_and_is_not_repeated():
    with listening(answering(GOOD)) as port:
        failed = failure(http(port, "/?token=open-sesame", contains="swordfish"))

    assert failed.reason == "content"
    assert "swordfish" not in failed.words
    assert "open-sesame" not in failed.words
    assert values(failed.samples)["probe_http_uncompressed_body_length"] == 5


@pytest.mark.parametrize(
    ("answer", "length", "body"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", -1, b"until the end"),
        (b"HTTP/1.1 200\r\ncontent-length:3\r\n\r\nabcdef", 3, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\nnothing", -1, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, 5, b"hello"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            -1,
            b"abcde",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + GZIPPED, -1, GZIPPED),
    ],
)
def test_bodies_are_read_as_they_are_sent(answer, length, body):
    with listening(answering(answer)) as port:
        read = values(http(port).probe(5))

    assert read["probe_http_content_length"] == length
    assert read["probe_http_uncompressed_body_length"] == len(body)


def test_a_head_is_asked_for_without_waiting_for_a_body():
    with listening(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")) as port:
        read = values(http(port, method="HEAD").probe(5))

    assert (read["probe_http_content_length"], read["probe_http_uncompressed_body_length"]) == (1000, 0)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
    ],
)
def test_of_an_endless_body_one_mebibyte_is_read(head):
    with listening(endlessly(head, b"x" * 65536)) as port, at_most(5):
        read = values(http(port).probe(5))
        failed = failure(http(port, contains="y"))

    assert read["probe_http_uncompressed_body_length"] == MOST_BODY_BYTES
    assert failed.reason == "content"
    assert "the first 1 MiB" in failed.words


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (silent, "timeout"),
        (lambda line: line.recv(65536), "refused"),  # hangs up without a word
        (dripping(b""), "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\nx: "), "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\n\r\n"), "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "timeout"),
        (endlessly(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 1000), "endless"),
        (endlessly(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 8192), "endless"),
        (endlessly(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"z" * 8192), "endless"),
        (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "endless"),
        (answering(b"220 mail.example ESMTP\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 2000 OK\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n"), "malformed"),
        (answering(b"HTTP/1.1 200"), "malformed"),
    ],
)
def test_a_bad_peer_is_left_in_time(serve, reason):
    with listening(serve) as port, at_most(2):
        failed = failure(http(port), deadline_s=0.4)

    assert failed.reason == reason
    assert values(failed.samples)["probe_http_ssl"] == 0


def test_what_the_peer_says_does_not_come_into_the_words():
    with listening(answering(b"HTTP/1.1 \x1b[31mevil\r\n\r\n")) as port:
        failed = failure(http(port))

    assert failed.words.isprintable()
    assert "evil" not in failed.words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "https://alice:hunter2@shop.example/"}, "without user, password"),
        ({"url": "ftp://shop.example/"}, "http"),
        ({"url": "https://shop.example/#part"}, "#"),
        ({"url": "https://shop.example:99999/"}, "PORT"),
        ({"url": "https://shop.example/a b"}, "ASCII"),
        ({"url": "https://shop.example/\r\nx: y"}, "one line"),
        ({"url": "https://shop.example", "method": "POST"}, "one of GET, HEAD"),
        ({"url": "https://shop.example", "expect_status": [99]}, "'expect_status'"),
        ({"url": "https://shop.example", "expect_status": "200"}, "'expect_status'"),
        ({"url": "https://shop.example", "method": "HEAD", "contains": "x"}, "'contains'"),
        ({"url": "https://shop.example", "tls_verify": "no"}, "'tls_verify' must be true or false"),
    ],
)
def test_what_cannot_be_used_is_refused_without_repeating_it(options, words):
    with pytest.raises(Misdeclared, match=words) as refused:
        Http(options, unopened)

    assert "hunter2" not in refused.value.words


@given(st.text())
def test_any_text_is_a_page_or_none(text):
    page = parse_page(text)

    assert page is None or text.startswith(("http://", "https://"))


class Script:
    """A connection on which these parts come, and then its end."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = [part for part in parts if part]

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv(self, most_bytes: int) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def sendall(self, clear: bytes) -> None:
        raise AssertionError("nothing is asked here")

    def close(self) -> None:
        pass


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"1\r\n", b": "])))
def test_any_bytes_are_an_answer_or_a_failure(parts):
    reader = AnswerReader(Script(parts), "a page", Deadline(5))

    reason = ""
    try:
        reader.wait()
        reader.body(reader.head(), is_head_only=False)
    except Failed as failed:
        reason = failed.reason

    assert reason in {"", "refused", "malformed", "endless"}


@settings(max_examples=share(50))
@given(body=st.binary(max_size=400), sizes=st.lists(st.integers(1, 50)), cut=st.integers(1, 30))
def test_a_body_in_chunks_is_whole_however_it_is_cut(body, sizes, cut):
    chunks, rest = b"", body
    for size in [*sizes, 400]:
        part, rest = rest[:size], rest[size:]
        chunks += b"%x\r\n%s\r\n" % (len(part), part) if part else b""
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    reader = AnswerReader(
        Script([sent[at : at + cut] for at in range(0, len(sent), cut)]), "a page", Deadline(5)
    )

    read = reader.body(reader.head(), is_head_only=False)

    assert read == body
