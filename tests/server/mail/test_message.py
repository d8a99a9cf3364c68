"""A letter is one message to one address, whatever rules, hosts and people have written into it."""

import string
from email import message_from_bytes
from email.policy import SMTP, default

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin_server.estate.names import checked_mail
from tocsin_server.mail.message import MOST_SUBJECT, Unwritable, message, message_id

NOW = 1_700_000_000_000
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


def made(subject: str = "a title", text: str = "a text", **more: object):
    return message(
        key="7/mail/alice@desk.example",
        sender="tocsin@desk.example",
        to="alice@desk.example",
        subject=subject,
        text=text,
        now_ms=NOW,
        **more,
    )


def read(subject: str, text: str = "a text"):
    return message_from_bytes(made(subject, text, thread=(42, NOW)).as_bytes(), policy=default)


def test_a_letter_says_that_no_person_has_written_it_and_to_which_ticket_it_belongs() -> None:
    first, second = made(thread=(42, NOW)), made("another", thread=(42, NOW))

    assert first["Auto-Submitted"] == "auto-generated"
    assert (
        first["References"] == first["In-Reply-To"] == second["References"] == f"<ticket-42-{NOW}@desk.example>"
    )
    assert made()["References"] is None
    assert first["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"


def test_the_same_key_is_the_same_message() -> None:
    assert message_id("a", "desk.example") == message_id("a", "desk.example")
    assert message_id("a", "desk.example") != message_id("b", "desk.example")


@pytest.mark.parametrize(
    "title",
    [
        "full\r\nBcc: mallory@example.org",
        "full\nBcc: mallory@example.org",
        "full\r\n\r\na body",
        "full\u2028Bcc: x@y",
        "full\x85Bcc: x@y",
        "full\x0bBcc: x@y\x0c",
        "=?utf-8?q?full=0d=0aBcc:_x@y?=",
        "\u202efull\u202c \ud800",
        "ü" * 1000,
        "\t \r\n",
    ],
)
def test_a_title_stays_a_title(title: str) -> None:
    found = read(title)

    assert set(found.keys()) == HEADERS
    assert found.get_content().splitlines() == ["a text"]
    assert len(found["Subject"]) <= MOST_SUBJECT
    assert not set(found["Subject"]) & set("\r\n\x0b\x0c\x85\u2028\u202e")


ATOMS = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=9)
LABELS = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=9)


@given(
    st.lists(ATOMS, min_size=1, max_size=3).map(".".join),
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
)
def test_to_whatever_is_taken_for_an_address_a_mail_can_be_written(local: str, domain: str) -> None:
    assume("=?" not in local)
    address = checked_mail(f"{local}@{domain}")

    made_to = message(key="1", sender="tocsin@desk.example", to=address, subject="a", text="b", now_ms=NOW)

    assert message_from_bytes(made_to.as_bytes(), policy=default)["To"] == address


NO_ADDRESSES = ["a..b@x", ".a@x", "a@x.", "a@x..y", "=?utf-8?q?a=0d=0ab?=@x", "a", "", "a@x\r\nb"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Unwritable):
        message(key="1", sender="tocsin@desk.example", to=address, subject="a", text="b", now_ms=NOW)


@given(st.text(), st.text())
def test_whatever_is_said_there_are_no_other_headers_and_no_other_recipient(title: str, text: str) -> None:
    found = read(title, text)

    assert sorted(found.keys()) == sorted(HEADERS)
    assert found["To"] == "alice@desk.example"
    assert found["Bcc"] is None
    assert found.get_content_type() == "text/plain"


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="?"), max_size=100))
def test_what_can_be_seen_arrives_as_it_was_written(text: str) -> None:
    assert read(text, text)["Subject"] == text
    assert read("a", text).get_content().rstrip("\r\n") == text


@given(st.text())
def test_lines_are_no_longer_than_mail_servers_take(text: str) -> None:
    content = made(text * 50, text * 50).as_bytes(policy=SMTP)

    assert max(map(len, content.split(b"\r\n"))) <= 998
