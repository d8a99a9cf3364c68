"""Mail given to a mail server by SMTP, with TLS that is verified; each message is taken, refused or put off.

connected(settings) ─▶ a session for some messages; raises `NoMailServer` where there is none to be had
give(session, …)    ─▶ nothing; raises `Refused` for this message: for good, or for now
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path

from tocsin_server.config import MailConfig
from tocsin_server.errors import Misconfigured

TIMEOUT_S = 10.0
MOST_SAID = 200
FAILURES = (OSError, ValueError)


class NoMailServer(Exception):
    """It cannot be reached, or does not let us in; the next attempt may be better."""


class Refused(Exception):
    """This message was not taken. `is_final`: it never will be."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


@contextmanager
def connected(settings: MailConfig) -> Iterator[smtplib.SMTP]:
    """A session that is signed in where there is a user; it is ended politely where that can be."""
    try:
        session = _open(settings)
    except (*FAILURES, Misconfigured) as error:
        raise NoMailServer(said(error)) from error
    try:
        yield session
    finally:
        with suppress(*FAILURES):
            session.quit()
        session.close()


def give(session: smtplib.SMTP, message: EmailMessage, *, sender: str, to: str) -> str:
    """Hand it over; what the server said. Raises `Refused`, and `NoMailServer` where the session has ended."""
    try:
        session.ehlo_or_helo_if_needed()
        _require(session.mail(sender), 250)
        _require(session.rcpt(to), 250, 251)
        code, answer = session.data(message.as_bytes())
    except smtplib.SMTPResponseException as error:
        with suppress(*FAILURES):
            session.rset()
        raise Refused(said(error), is_final=error.smtp_code >= 500) from error
    except OSError as error:  # the session has ended; of such are smtplib's own errors, too
        raise NoMailServer(said(error)) from error
    if code != 250:
        raise Refused(_answer(code, answer), is_final=code >= 500)
    return _answer(code, answer)


def _open(settings: MailConfig) -> smtplib.SMTP:
    session: smtplib.SMTP
    if settings.security == "tls":
        context = _trust(settings)
        session = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=context)
    else:
        session = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
    try:
        if settings.security == "starttls":
            session.starttls(context=_trust(settings))
        if settings.user:
            session.login(settings.user, password(settings))
    except BaseException:  # whatever it was goes on up; the connection is not left open
        session.close()
        raise
    return session


def _trust(settings: MailConfig) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file or None)


def password(settings: MailConfig) -> str:
    """What stands in the password's file; raises `Misconfigured`."""
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Misconfigured(
            f"the mail server's password in {settings.password_file} cannot be read ({why})",
            remedy="look at password_file of [mail] in server.toml",
        ) from error


def _require(answered: tuple[int, bytes], *codes: int) -> None:
    if answered[0] not in codes:
        raise smtplib.SMTPResponseException(*answered)


def said(error: BaseException) -> str:
    """What went wrong in one line, the server's words among it."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return _line(str(error) or type(error).__name__)


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return _line(f"{code} {words}")


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))[:MOST_SAID]
