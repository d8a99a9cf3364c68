"""`user totp`, `user unlock`: how people sign in, where that has gone wrong."""

import json
from functools import partial

from sqlmodel import Session

from tocsin_server.access import totp
from tocsin_server.access.standing import person
from tocsin_server.access.totp import Standing
from tocsin_server.access.vault import vault_of
from tocsin_server.cli.command import Commands, Options, command
from tocsin_server.cli.deeds import reset_codes, unlocked_login
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.store import known

TOTP_EXAMPLES = """\
examples:
  tocsin-server user totp alice                 whether one-time codes are asked of her
  tocsin-server user totp alice --reset         her device and her recovery codes are lost

A reset ends her sessions. Make sure that it is she who asks: until she enrols another device, her password is
all that it takes.
"""
UNLOCK_EXAMPLES = """\
examples:
  tocsin-server user unlock alice

Nobody is locked out for good, but who guesses at her login may make her wait at an address that is new to her.
"""


def add_to(words: Commands) -> None:
    """The two, under `user`."""
    codes = command(words, "totp", _totp, "one-time codes: how they stand, and reset", examples=TOTP_EXAMPLES)
    codes.add_argument("login")
    doing = codes.add_mutually_exclusive_group()
    doing.add_argument("--reset", action="store_true", help="ask for none until a device is enrolled again")
    doing.add_argument("--json", action="store_true", help="for programs")
    unlocking = command(
        words, "unlock", _unlock, "forget failed sign-ins with a login", examples=UNLOCK_EXAMPLES
    )
    unlocking.add_argument("login")


def _totp(options: Options) -> int:
    if options.reset:
        return _reset(options)
    found = look(options.data, partial(_standing, login=options.login))
    if options.json:
        since = None if found is None else moment(found.since_ms).isoformat()
        print(json.dumps({"since": since, "recovery_codes": 0 if found is None else found.recovery_codes}))
    elif found is None:
        print(f"{options.login} signs in without one-time codes")
    else:
        print(
            f"{options.login} signs in with one-time codes since {moment(found.since_ms):%Y-%m-%d %H:%M}Z;"
            f" {found.recovery_codes} recovery codes left"
        )
    return 0


def _standing(session: Session, *, login: str) -> Standing | None:
    return totp.standing(session, known(person(session, login).id))


def _reset(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    ended = write(options, lambda s: reset_codes(s, options.login, now_ms))
    said = f"; {ended} session{'s' if ended > 1 else ''} ended" if ended else ""
    print(f"{options.login} signs in without one-time codes until a device is enrolled{said}")
    return 0


def _unlock(options: Options) -> int:
    now_ms = SystemClock().now_ms()

    def act(session: Session) -> None:
        unlocked_login(session, options.login, vault_of(open_identity(options.data)), now_ms)

    write(options, act)
    print(f"failed sign-ins of {options.login} are forgotten")
    return 0
