"""One-time codes (RFC 6238): six digits of SHA-1 every 30 seconds, what every authenticator makes.

A code is taken of the step that is now, the one before and the one after, and each step once: the latest step
that was used is kept, and it, with all before, is refused from then on. Ten recovery codes go with them, each
good once, for when the device is lost; they are kept as digests. The secret is kept sealed.
"""

import hashlib
import hmac
import secrets
from base64 import b32encode
from typing import NamedTuple

import pyotp
from sqlmodel import Session, col, delete, func, select, update

from tocsin_protocol.people import CODE_REQUIRED
from tocsin_server.access.store import PersonRow, RecoveryCode, TotpRow
from tocsin_server.access.vault import Vault
from tocsin_server.errors import Conflict, Unauthenticated, Unprocessable
from tocsin_server.estate.store import known

STEP_MS = 30_000
WINDOW = 1
"""So many steps a device's clock may be off."""
DIGITS = 6
RECOVERY_CODES = 10
PENDING_MS = 15 * 60_000
"""How long a secret waits for its first code."""
ISSUER = "tocsin"
_RECOVERY_BYTES = 10
_RECOVERY_LETTERS = 16
MAX_CODE = 64


class CodeRequired(Unauthenticated):
    """The password is right, and a code is needed with it; or the one that was given is not right."""

    kind = CODE_REQUIRED


class Offer(NamedTuple):
    """A new secret, shown this once: as text to be typed, and as what authenticators read."""

    secret: str
    uri: str


class Standing(NamedTuple):
    """Since when somebody's codes are asked for, and how many recovery codes are left."""

    since_ms: int
    recovery_codes: int


def step_of(now_ms: int) -> int:
    """The time-step: how many times 30 seconds have passed since 1970."""
    return now_ms // STEP_MS


def steps_of(secret: str, code: str, now_ms: int) -> list[int]:
    """The steps around now whose code this is; nearly always one or none. Looks at all of them, always."""
    now, otp = step_of(now_ms), pyotp.TOTP(secret)
    steps = range(max(0, now - WINDOW), now + WINDOW + 1)
    return [step for step in steps if hmac.compare_digest(otp.generate_otp(step).encode(), code.encode())]


def cleaned_code(typed: str) -> str:
    """A code as people type it, less what they put in between."""
    return "".join(char for char in typed[:MAX_CODE].upper() if char.isascii() and char.isalnum())


def begin(session: Session, person: PersonRow, vault: Vault, now_ms: int) -> Offer:
    """A new secret that waits for its first code; one that is in force stays so until then."""
    person_id = known(person.id)
    secret = pyotp.random_base32()
    row = session.get(TotpRow, person_id) or TotpRow(person_id=person_id)
    row.pending, row.pending_ms = vault.seal(secret, _owner(person_id)), now_ms
    session.add(row)
    return Offer(secret, pyotp.TOTP(secret).provisioning_uri(name=person.login, issuer_name=ISSUER))


def confirm(session: Session, person_id: int, typed: str, vault: Vault, now_ms: int) -> list[str]:
    """Put the waiting secret in force by its first code; the new recovery codes, shown this once."""
    row = session.get(TotpRow, person_id)
    if row is None or row.pending is None or now_ms - (row.pending_ms or 0) >= PENDING_MS:
        raise Conflict("no new secret waits for its first code", remedy="begin again")
    steps = steps_of(vault.open(row.pending, _owner(person_id)), cleaned_code(typed), now_ms)
    if not steps:
        raise Unprocessable(
            "this is not the code of now", remedy="type the newest one; the device's clock has to be right"
        )
    row.sealed, row.since_ms, row.last_step = row.pending, now_ms, max(row.last_step, *steps)
    row.pending = row.pending_ms = None
    session.add(row)
    return _new_recovery_codes(session, person_id)


def standing(session: Session, person_id: int) -> Standing | None:
    """How somebody's codes stand; nothing where none are asked for."""
    row = session.get(TotpRow, person_id)
    if row is None or row.sealed is None:
        return None
    return Standing(row.since_ms or 0, _left(session, person_id))


def use(session: Session, person_id: int, typed: str, vault: Vault, now_ms: int) -> dict[str, object]:
    """Take the code that somebody has typed, for ever; what the audit log tells of it.

    Nothing to tell where no codes are asked of them. Raises `CodeRequired` where there is none or it is wrong.
    """
    row = session.get(TotpRow, person_id)
    if row is None or row.sealed is None:
        return {}
    code = cleaned_code(typed)
    if not code:
        raise CodeRequired("a code is needed as well", remedy="type the one that your device shows now")
    if len(code) == _RECOVERY_LETTERS:
        if _use_recovery_code(session, person_id, code):
            return {"factor": "recovery code", "left": _left(session, person_id)}
    elif _use_step(session, row, steps_of(vault.open(row.sealed, _owner(person_id)), code, now_ms)):
        return {"factor": "code"}
    raise CodeRequired("the code is wrong, or was used already", remedy="wait for the next one")


def reset(session: Session, person_id: int) -> bool:
    """Ask them for no codes until they enrol again; whether any were asked for, or a secret waited."""
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.person_id) == person_id))
    return bool(session.exec(delete(TotpRow).where(col(TotpRow.person_id) == person_id)).rowcount)


def _use_step(session: Session, row: TotpRow, steps: list[int]) -> bool:
    """Whether one of the steps was not used before; it is from now on. Compare-and-set."""
    fresh = [step for step in steps if step > row.last_step]
    if not fresh:
        return False
    done = session.exec(
        update(TotpRow)
        .where(
            col(TotpRow.person_id) == row.person_id,
            col(TotpRow.last_step) < fresh[0],
            col(TotpRow.sealed) == row.sealed,
        )
        .values(last_step=fresh[0])
    )
    return bool(done.rowcount)


def _new_recovery_codes(session: Session, person_id: int) -> list[str]:
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.person_id) == person_id))
    codes = [b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(digest=_digest(person_id, code), person_id=person_id) for code in codes)
    session.flush()
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)).lower() for code in codes]


def _use_recovery_code(session: Session, person_id: int, code: str) -> bool:
    digest = _digest(person_id, code)
    done = session.exec(
        delete(RecoveryCode).where(col(RecoveryCode.digest) == digest, col(RecoveryCode.person_id) == person_id)
    )
    return bool(done.rowcount)


def _left(session: Session, person_id: int) -> int:
    asked = select(func.count()).select_from(RecoveryCode).where(col(RecoveryCode.person_id) == person_id)
    return session.exec(asked).one()


def _digest(person_id: int, code: str) -> str:
    """80 random bits need no slow hash."""
    return hashlib.sha256(f"{person_id}:{code}".encode()).hexdigest()


def _owner(person_id: int) -> str:
    return f"person {person_id}"
