"""A handshake is looked at: a good certificate, a bad one that says when it ended, and peers without TLS."""

import pytest
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

from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.tls import Tls

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def tls(port: int, **options) -> Tls:
    return Tls({"address": "127.0.0.1", "port": port, **options}, unopened)


def failure(probe: Tls, deadline_s: float = 5) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(deadline_s)
    return failed.value


def test_a_good_certificate_shows_when_it_ends(authority):
    with listening(silent, tls=authority.server()) as port:
        read = values(tls(port, ca=authority.pem).probe(5))

    assert read.pop("probe_dns_lookup_time_seconds") < 1
    assert read == {
        "probe_ip_protocol": 4,
        "probe_ssl_earliest_cert_expiry": EXPIRES.timestamp(),
        "probe_tls_version_info{TLS 1.3}": 1,
    }


def test_the_name_that_is_declared_must_be_shown(authority):
    with listening(silent, tls=authority.server("shop.example.org")) as port:
        assert tls(port, ca=authority.pem, server_name="shop.example.org").probe(5)
        failed = failure(tls(port, ca=authority.pem))

    assert failed.reason == "certificate"
    assert "127.0.0.1" in failed.words
    assert values(failed.samples)["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()


def test_an_expired_certificate_fails_and_still_shows_when_it_ended(authority):
    with listening(silent, tls=authority.server(expires=EXPIRED)) as port:
        failed = failure(tls(port, ca=authority.pem))

    assert failed.reason == "certificate"
    assert "certificate has expired" in failed.words
    assert values(failed.samples)["probe_ssl_earliest_cert_expiry"] == EXPIRED.timestamp()


def test_a_certificate_of_an_unknown_authority_fails_by_the_roots_of_the_system(authority):
    with listening(silent, tls=authority.server()) as port:
        failed = failure(tls(port))

    assert failed.reason == "certificate"
    assert values(failed.samples)["probe_ssl_earliest_cert_expiry"] == EXPIRES.timestamp()


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (silent, "timeout"),
        (dripping(b"\x16\x03\x03\x40\x00"), "timeout"),  # a record that comes byte after byte
    ],
)
def test_a_peer_that_does_not_come_to_tls_is_left_in_time(serve, reason):
    with listening(serve) as port, at_most(2):
        failed = failure(tls(port), deadline_s=0.4)

    assert failed.reason == reason, failed.words
    assert "probe_ip_protocol" in values(failed.samples)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "malformed"),
        (answering(b"\x15\x03\x03\x00\x02\x02\x28"), "refused"),  # an alert: handshake_failure
        (lambda accepted: None, "refused"),  # hangs up
        (
            endlessly(b"", b"\x16\x03\x03\x3f\xff" + b"\x00" * 16383),
            "endless",
        ),  # empty requests for a handshake, which mean nothing
    ],
)
def test_a_peer_that_speaks_no_tls_is_left_for_what_it_says(serve, reason):
    with listening(serve) as port:
        failed = failure(tls(port))

    assert failed.reason == reason, failed.words
    assert "probe_ip_protocol" in values(failed.samples)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": ""}, "'address'"),
        ({"address": "a b"}, "'address' must be a host's name"),
        ({"address": "münchen.example"}, "xn--"),
        ({"address": "atlas", "port": 0}, "'port'"),
        ({"address": "atlas", "port": True}, "'port'"),
        ({"address": "atlas", "ca": "no certificate"}, "'ca' must be certificates in PEM form"),
        ({"address": "atlas", "server_name": 7}, "'server_name'"),
        ({}, "'address' must be given"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(options, words):
    with pytest.raises(Misdeclared, match=words):
        Tls(options, unopened)
