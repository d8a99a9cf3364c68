"""An invitation is good for one agent, for one client and site, for a while."""

import threading
from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import decode_invitation
from tocsin_server.errors import Conflict, Forbidden, Unprocessable
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.enrolment import Enrolled, create_enrol_token, enrol
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Agent, EnrolToken, Host, Site
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
HOUR = 3_600_000
URL = "https://tocsin.example:8443"


@pytest.fixture
def invite(storage: Storage, identity: ServerIdentity, berlin: Site) -> Callable[[], str]:
    """The secret of a new invitation to Acme in Berlin, good for an hour."""

    def make(site: Site = berlin, url: str = URL) -> str:
        token = storage.write(
            lambda s: create_enrol_token(
                s, identity, site, url, kind=HostKind.SERVER, now_ms=NOW, expires_ms=NOW + HOUR
            )
        )
        return decode_invitation(token).secret

    return make


def coming(secret: str, *, name: str = "atlas", now_ms: int = NOW) -> Callable[[Session], Enrolled]:
    """A host that enrols."""
    return lambda s: enrol(
        s, secret=secret, public_key=bytes(32), name=name, os="Linux 6.1", version="0.1.0", now_ms=now_ms
    )


def test_an_enrolled_host_belongs_to_the_client_and_site_of_its_invitation(
    storage: Storage, invite: Callable[[], str]
) -> None:
    enrolled = storage.write(coming(invite()))

    assert (enrolled.client_slug, enrolled.site_slug) == ("acme", "berlin")
    assert enrolled.agent_id.startswith("agt_")
    host = storage.read(lambda s: s.exec(select(Host)).one())
    assert (host.id, host.name, host.kind, host.job, host.os) == (
        enrolled.host.id,
        "atlas",
        HostKind.SERVER,
        "node",
        "Linux 6.1",
    )


@pytest.mark.parametrize(
    ("kind", "os", "job"),
    [
        (HostKind.SERVER, "Linux 6.1", "node"),
        (HostKind.SERVER, "Windows Server 2025", "windows"),
        (HostKind.DESKTOP, "Linux 6.1", "desktop"),
    ],
)
def test_the_label_job_says_by_which_rules_a_host_is_judged(
    storage: Storage, identity: ServerIdentity, berlin: Site, kind: HostKind, os: str, job: str
) -> None:
    word = storage.write(
        lambda s: create_enrol_token(
            s, identity, berlin, "https://desk.example:8443", kind=kind, now_ms=NOW, expires_ms=NOW + 1
        )
    )

    enrolled = storage.write(
        lambda s: enrol(
            s,
            secret=decode_invitation(word).secret,
            public_key=bytes(32),
            name="atlas",
            os=os,
            version="1",
            now_ms=NOW,
        )
    )

    assert enrolled.host.job == job


def test_the_invitation_carries_what_an_agent_pins(
    storage: Storage, identity: ServerIdentity, berlin: Site
) -> None:
    token = storage.write(
        lambda s: create_enrol_token(
            s, identity, berlin, URL + "/", kind=HostKind.SERVER, now_ms=NOW, expires_ms=NOW + HOUR
        )
    )

    invitation = decode_invitation(token)
    assert invitation[:3] == (URL, identity.fingerprint, identity.public_key_hex)
    assert len(invitation.secret) >= 32


def test_plain_http_to_loopback_has_no_certificate_to_pin(
    storage: Storage, identity: ServerIdentity, berlin: Site
) -> None:
    token = storage.write(
        lambda s: create_enrol_token(
            s, identity, berlin, "http://127.0.0.1:8443", kind=HostKind.SERVER, now_ms=NOW, expires_ms=NOW
        )
    )

    assert decode_invitation(token).fingerprint == ""


@pytest.mark.parametrize(
    "url", ["http://tocsin.example:8443", "tocsin.example", "https://a\nb", "ftp://tocsin.example", ""]
)
def test_a_url_that_no_agent_would_take_is_refused(invite: Callable[..., str], url: str) -> None:
    with pytest.raises(Unprocessable, match="https://"):
        invite(url=url)


def test_the_database_does_not_know_the_secret(storage: Storage, invite: Callable[[], str]) -> None:
    secret = invite()

    kept = storage.read(lambda s: s.exec(select(EnrolToken)).one().model_dump_json())
    assert secret not in kept


def test_a_used_invitation_is_refused_in_its_own_words(storage: Storage, invite: Callable[[], str]) -> None:
    secret = invite()
    storage.write(coming(secret))

    with pytest.raises(Forbidden, match="used already"):
        storage.write(coming(secret, name="borea"))


def test_an_expired_invitation_is_refused_in_its_own_words(storage: Storage, invite: Callable[[], str]) -> None:
    secret = invite()

    with pytest.raises(Forbidden, match="expired"):
        storage.write(coming(secret, now_ms=NOW + HOUR))


def test_an_unknown_invitation_is_refused_in_its_own_words(storage: Storage) -> None:
    with pytest.raises(Forbidden, match="does not know"):
        storage.write(coming("guessed"))


def test_of_two_agents_with_one_invitation_one_enrols(storage: Storage, invite: Callable[[], str]) -> None:
    secret = invite()
    gate = threading.Event()
    storage.submit(lambda _session: gate.wait(10))
    both = [storage.submit(coming(secret, name=name)) for name in ("atlas", "borea")]
    gate.set()

    outcomes = [future.exception(10) for future in both]
    assert [type(outcome) for outcome in outcomes] == [type(None), Forbidden]
    assert storage.read(lambda s: len(s.exec(select(Host)).all())) == 1


def test_a_taken_name_is_refused_with_the_remedy_and_leaves_the_invitation_unused(
    storage: Storage, invite: Callable[[], str]
) -> None:
    storage.write(coming(invite()))
    second = invite()

    with pytest.raises(Conflict, match=r"host retire acme atlas"):
        storage.write(coming(second))

    assert storage.write(coming(second, name="borea")).host.name == "borea"


def test_another_client_may_have_a_host_of_the_same_name(storage: Storage, invite: Callable[..., str]) -> None:
    storage.write(coming(invite()))
    other = storage.write(lambda s: add_site(s, add_client(s, "globex", "Globex", NOW), "oslo", "Oslo", NOW))

    assert storage.write(coming(invite(site=other))).client_slug == "globex"


def test_a_retired_hosts_name_is_free_and_its_agent_is_revoked(
    storage: Storage, invite: Callable[[], str]
) -> None:
    old = storage.write(coming(invite()))

    storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", NOW + 1))

    assert storage.read(lambda s: s.exec(select(Agent.revoked_ms)).one()) == NOW + 1
    assert storage.write(coming(invite())).host.id != old.host.id


def test_a_public_key_of_the_wrong_size_is_refused(storage: Storage, invite: Callable[[], str]) -> None:
    secret = invite()

    with pytest.raises(Unprocessable, match="32 bytes"):
        storage.write(
            lambda s: enrol(s, secret=secret, public_key=b"short", name="atlas", os="", version="", now_ms=NOW)
        )


def test_control_characters_do_not_reach_the_database(storage: Storage, invite: Callable[[], str]) -> None:
    enrolled = storage.write(coming(invite(), name="at\x1blas\r\n"))

    assert enrolled.host.name == "at las"
