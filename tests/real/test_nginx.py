"""Debian's nginx as the application: over TLS, with a good certificate, a foreign one and an expired one."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agent.probes.peers import EXPIRED, EXPIRES, Authority, unopened, values
from tests.processes import until
from tests.real.servers import Nginx, find

from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.http import Http
from tocsin_agent.probes.tls import Tls

pytestmark = pytest.mark.real

PAGE = "the shop is open\n" * 1000


class Shop(Nginx):
    """With what a plain page does not show: packed pages, redirects, failures, chunks."""

    def command(self) -> list[str]:
        command = super().command()
        path = self.folder / "nginx.conf"
        more = (
            "location /packed { gzip_static on; gzip on; gzip_types *; try_files /index.html =404; }\n"
            "location /moved { return 302 /; }\n"
            "location /broken { return 503; }\n"
            "location /chunked { ssi on; default_type text/html; try_files /included.html =404; } } }\n"
        )
        path.write_text(path.read_text().removesuffix("} }\n") + more)
        (self.folder / "included.html").write_text('<p><!--#include virtual="/index.html" --></p>')
        return command


def pair(authority: Authority, **more) -> dict[str, bytes]:
    leaf = authority.issue("127.0.0.1", **more)
    return {"certificate": leaf.cert_chain_pems[0].bytes(), "key": leaf.private_key_pem.bytes()}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def program(require) -> str:
    return require(find("nginx"), "nginx-light")


@pytest.fixture(scope="module")
def shop(program, authority, tmp_path_factory) -> Iterator[Shop]:
    with Shop(program, tmp_path_factory.mktemp("nginx"), page=PAGE, **pair(authority)) as running:
        yield running


def http(shop: Nginx, authority: Authority, path: str = "/", **options) -> Http:
    return Http({"url": f"https://127.0.0.1:{shop.port}{path}", "ca": authority.pem, **options}, unopened)


def failure(probe: Http | Tls) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(5)
    return failed.value


def test_a_page_is_read_over_tls(shop, authority):
    read = values(http(shop, authority, contains="shop is open").probe(5))

    assert read["probe_http_status_code"] == 200
    assert read["probe_http_version"] == 1.1
    assert read["probe_http_content_length"] == len(PAGE)
    assert read["probe_http_uncompressed_body_length"] == len(PAGE)
    assert read["probe_http_ssl"] == 1
    assert read["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()


def test_a_page_that_could_be_packed_comes_as_it_is(shop, authority):
    (shop.folder / "index.html.gz").write_bytes(gzip.compress(PAGE.encode()))

    assert http(shop, authority, "/packed", contains="shop is open").probe(5)


def test_a_page_in_chunks_is_whole(shop, authority):
    read = values(http(shop, authority, "/chunked", contains="shop is open\n</p>").probe(5))

    assert read["probe_http_content_length"] == -1
    assert read["probe_http_uncompressed_body_length"] == len(PAGE) + len("<p></p>")


def test_a_redirect_a_failure_and_what_is_missing_fail_by_their_status(shop, authority):
    statuses = {"/moved": 302, "/broken": 503, "/nowhere": 404}
    for path, status in statuses.items():
        failed = failure(http(shop, authority, path))
        assert (failed.reason, values(failed.samples)["probe_http_status_code"]) == ("status", status)

    assert http(shop, authority, "/moved", expect_status=[302]).probe(5)


def test_a_head_is_answered_without_a_body(shop, authority):
    read = values(http(shop, authority, method="HEAD").probe(5))

    assert (read["probe_http_content_length"], read["probe_http_uncompressed_body_length"]) == (len(PAGE), 0)


def test_the_handshake_alone_tells_the_same(shop, authority):
    options = {"address": "127.0.0.1", "port": shop.port}

    read = values(Tls({**options, "ca": authority.pem}, unopened).probe(5))
    untrusted = failure(Tls(options, unopened))

    assert read["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()
    assert untrusted.reason == "certificate"
    assert values(untrusted.samples)["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()


def test_a_server_that_speaks_plainly_on_the_port_of_tls_is_told_apart(shop):
    failed = failure(Http({"url": f"http://127.0.0.1:{shop.port}/"}, unopened))

    assert (failed.reason, values(failed.samples)["probe_http_status_code"]) == ("status", 400)


def test_an_expired_certificate_and_a_stopped_server_are_told(program, authority, tmp_path: Path):
    with Nginx(program, tmp_path, **pair(authority, expires=EXPIRED)) as expired:
        failed = failure(http(expired, authority))
        expired.stop()
        until("nobody listens", lambda: not expired.answers(), seconds=5)
        gone = failure(http(expired, authority))

    assert failed.reason == "certificate"
    assert values(failed.samples)["probe_ssl_earliest_cert_expiry"] == EXPIRED.timestamp()
    assert gone.reason == "refused"
    assert values(gone.samples)["probe_http_status_code"] == 0
