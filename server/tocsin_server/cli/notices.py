"""`notices`: what waits for the mail server and what it has refused, and whether it takes anything at all."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tocsin_server.cli.command import Commands, Options, command, group, settings
from tocsin_server.cli.query import columns, shown
from tocsin_server.clock import SystemClock, moment
from tocsin_server.config import MailConfig
from tocsin_server.datafolder import look
from tocsin_server.desk.outbox import Unsent, unsent
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.names import checked_mail
from tocsin_server.mail.message import message
from tocsin_server.mail.smtp import NoMailServer, Refused, connected, give

LIST_EXAMPLES = """\
examples:
  tocsin-server notices list
  tocsin-server notices list --json

What waits, what has failed, and what has nowhere to go since server.toml names no mail server: the newest last,
at most 1,000. They are kept for 30 days.
"""
TEST_EXAMPLES = """\
examples:
  tocsin-server notices test --to me@example.net
"""
_HEADING = ("made", "state", "tries", "by", "to", "subject", "why")


def add_commands(commands: Commands) -> None:
    """`notices list, notices test`."""
    words = group(commands, "notices")
    listing = command(words, "list", _list, "notices that are not sent", examples=LIST_EXAMPLES)
    listing.add_argument("--json", action="store_true", help="for programs")
    trying = command(
        words,
        "test",
        _test,
        "send a mail now, and print what the mail server says",
        data=False,
        examples=TEST_EXAMPLES,
    )
    trying.add_argument("--to", required=True, metavar="ADDRESS")
    trying.add_argument("--settings", type=Path, help="server.toml to use")


def _list(options: Options) -> int:
    found = look(options.data, unsent)
    if options.json:
        print(json.dumps([_told(each) for each in found], indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found)), end="")
    return 0


def _told(of: Unsent) -> dict[str, object]:
    return {**of._asdict(), "channel": of.channel.value, "state": of.state.value}


def lines(found: Sequence[Unsent]) -> Iterator[str]:
    """A line for each, below a heading."""
    if not found:
        yield "no notice waits, and none has failed"
        return
    yield from columns([_HEADING, *map(_cells, found)])


def _cells(of: Unsent) -> tuple[str, ...]:
    made = f"{moment(of.made_ms):%Y-%m-%d %H:%M}Z"
    tries, why = str(of.attempts), shown(of.reason)
    return made, of.state.value, tries, of.channel.value, of.recipient, shown(of.subject), why


def _test(options: Options) -> int:
    mail, to = settings(options).mail, checked_mail(options.to)
    if not mail.host:
        raise Misconfigured("no mail server is known", remedy="name one in [mail] of server.toml")
    print(f"{mail.host}:{mail.port} says: {_said(mail, to)}")
    return 0


def _said(mail: MailConfig, to: str) -> str:
    now_ms = SystemClock().now_ms()
    made = message(
        key=f"test/{now_ms}/{to}",
        sender=mail.sender,
        to=to,
        subject="[tocsin] a test",
        text="Notices of tocsin reach this address.",
        now_ms=now_ms,
    )
    try:
        with connected(mail) as session:
            return shown(give(session, made, sender=mail.sender, to=to))
    except (NoMailServer, Refused) as error:
        raise Misconfigured(
            f"{mail.host}:{mail.port} did not take it ({shown(str(error))})",
            remedy="look at [mail] in server.toml",
        ) from error
