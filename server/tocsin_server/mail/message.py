"""A letter as a message of RFC 5322: plain text, one recipient, and no line of it can become a header. Pure.

Who reads it by threads sees a ticket's messages together: all refer to one that is made of the ticket's number
and of when it was opened. `Auto-Submitted` (RFC 3834) keeps other programs from answering.
"""

import hashlib
import re
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tocsin_server.clock import moment

MOST_SUBJECT = 240
# Whatever ends a line for anybody, what is not to be seen, and what turns the direction of a text.
_BREAKS = re.compile(
    "[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Unwritable(ValueError):
    """No mail can be written to such an address."""


def message(
    *,
    key: str,
    sender: str,
    to: str,
    subject: str,
    text: str,
    now_ms: int,
    thread: tuple[int, int] | None = None,
) -> EmailMessage:
    """A mail of this key to one address; the same key gives the same `Message-ID`. Raises `Unwritable`."""
    domain = sender.rpartition("@")[2]
    made = EmailMessage(policy=SMTP)
    made["From"] = _address(sender, "tocsin")
    made["To"] = _address(to)
    made["Subject"] = one_line(subject)
    made["Date"] = format_datetime(moment(now_ms))
    made["Message-ID"] = message_id(key, domain)
    if thread is not None:
        number, opened_ms = thread
        root = f"<ticket-{number}-{opened_ms}@{domain}>"
        made["In-Reply-To"] = root
        made["References"] = root
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(_UNSEEN.sub("", text), charset="utf-8", cte="quoted-printable")
    return made


def _address(text: str, name: str = "") -> Address:
    try:
        return Address(name, addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:  # IndexError: of an empty one
        raise Unwritable(f"{text[:80]!r} is no mail address ({error})") from error


def message_id(key: str, domain: str) -> str:
    """The same for the same key."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def one_line(text: str) -> str:
    """The text as a header may hold it, cut where it is longer.

    What looks like an encoded word (RFC 2047) is broken up: Python's own library would decode it, and write the
    ends of lines that it holds as ends of lines.
    """
    line = _BREAKS.sub(" ", text).strip().replace("=?", "= ?")
    return line if len(line) <= MOST_SUBJECT else line[: MOST_SUBJECT - 1] + "…"
