"""One-time codes: RFC 6238's own, each taken once and for ever, and recovery codes that go with them."""

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select, update

from tocsin_protocol.vocabulary import Role
from tocsin_server.access import totp
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import add_person
from tocsin_server.access.store import PersonRow, RecoveryCode, TotpRow
from tocsin_server.access.totp import PENDING_MS, RECOVERY_CODES, STEP_MS, WINDOW, CodeRequired
from tocsin_server.access.vault import Vault
from tocsin_server.errors import Conflict, Misconfigured, Unprocessable
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
VAULT = Vault(bytes(32))
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B: "12345678901234567890"
OFF = st.integers(-40, 40)


def code_at(secret: str, now_ms: int) -> str:
    return pyotp.TOTP(secret).generate_otp(now_ms // STEP_MS)


def enrol(session: Session, person: PersonRow, now_ms: int = NOW) -> tuple[str, list[str]]:
    """A secret that is in force since an hour, and the recovery codes."""
    secret = totp.begin(session, person, VAULT, now_ms - 3_600_000).secret
    code = code_at(secret, now_ms - 3_600_000)
    return secret, totp.confirm(session, person.id, code, VAULT, now_ms - 3_600_000)


@pytest.fixture
def enrolled(storage: Storage, alice: PersonRow) -> tuple[str, list[str]]:
    return storage.write(lambda s: enrol(s, alice))


def uses(storage: Storage, person: PersonRow, code: str, now_ms: int = NOW) -> dict[str, object]:
    return storage.write(lambda s: totp.use(s, person.id, code, VAULT, now_ms))


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"),
        (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_rfc(at_s: int, code: str) -> None:
    assert at_s // 30 in totp.steps_of(RFC_SECRET, code, at_s * 1000)


@given(st.integers(0, 4 * 10**12), OFF)
def test_a_code_is_taken_of_a_step_around_now_and_of_no_other(now_ms: int, off: int) -> None:
    step = totp.step_of(now_ms) + off
    if step < 0:
        return
    taken = totp.steps_of(RFC_SECRET, pyotp.TOTP(RFC_SECRET).generate_otp(step), now_ms)

    assert (step in taken) == (abs(off) <= WINDOW)


@given(st.text())
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    code = totp.cleaned_code(typed)

    good = {code_at(RFC_SECRET, NOW + off * STEP_MS) for off in (-1, 0, 1)}
    assert len(code) <= totp.MAX_CODE
    assert bool(totp.steps_of(RFC_SECRET, code, NOW)) == (code in good)


def test_a_code_is_typed_with_or_without_a_gap() -> None:
    assert totp.cleaned_code(" 123 456\n") == "123456"
    assert totp.cleaned_code("abcd-efgh") == "ABCDEFGH"


def test_who_has_enrolled_nothing_is_asked_for_nothing(storage: Storage, alice: PersonRow) -> None:
    assert uses(storage, alice, "") == {}
    assert storage.read(lambda s: totp.standing(s, alice.id)) is None


def test_a_code_is_good_once_and_neither_it_nor_an_earlier_one_ever_again(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    code, before = (code_at(enrolled[0], NOW + off * STEP_MS) for off in (0, -1))
    assert uses(storage, alice, code) == {"factor": "code"}

    for old, at_ms in ((code, NOW), (code, NOW + STEP_MS), (before, NOW), (code, NOW - STEP_MS)):
        with pytest.raises(CodeRequired, match="wrong, or was used already"):
            uses(storage, alice, old, at_ms)
    assert uses(storage, alice, code_at(enrolled[0], NOW + STEP_MS), NOW + STEP_MS) == {"factor": "code"}


def test_of_one_code_that_comes_twice_at_once_one_is_taken(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    code = code_at(enrolled[0], NOW)
    both = [storage.submit(lambda s: totp.use(s, alice.id, code, VAULT, NOW)) for _ in range(2)]

    assert sorted(type(each.exception()).__name__ for each in both) == ["CodeRequired", "NoneType"]


def test_a_step_that_somebody_else_has_just_used_is_refused_by_the_database(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    """As if the row had been read before another program wrote it."""

    def act(session: Session) -> bool:
        stale = session.get(TotpRow, alice.id)
        session.expunge(stale)
        session.exec(update(TotpRow).values(last_step=totp.step_of(NOW)))
        return totp._use_step(session, stale, [totp.step_of(NOW)])

    assert not storage.write(act)


@given(steps=st.lists(st.tuples(st.integers(-3, 3), st.integers(-1, 1)), max_size=12))
def test_over_any_course_of_the_clock_no_step_is_taken_twice(steps: list[tuple[int, int]]) -> None:
    row = TotpRow(person_id=1, sealed="x", last_step=0)
    now_ms, taken = NOW, []
    for moved, off in steps:
        now_ms += moved * STEP_MS
        fresh = [
            step
            for step in totp.steps_of(RFC_SECRET, code_at(RFC_SECRET, now_ms + off * STEP_MS), now_ms)
            if step > row.last_step
        ]
        if fresh:
            row.last_step = fresh[0]
            taken.append(fresh[0])

    assert taken == sorted(set(taken))


@pytest.mark.parametrize("code", ["000000", "12345", "1234567", "aaaa-aaaa-aaaa-aaaa", "' OR 1=1 --"])
def test_a_wrong_code_is_refused(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]], code: str
) -> None:
    with pytest.raises(CodeRequired):
        uses(storage, alice, code)


def test_without_a_code_one_is_asked_for(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    with pytest.raises(CodeRequired, match="a code is needed as well"):
        uses(storage, alice, " ")


def test_each_recovery_code_is_good_once(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    _, codes = enrolled
    assert len(set(codes)) == RECOVERY_CODES

    told = [uses(storage, alice, code.upper()) for code in codes[:2]]
    assert [each["left"] for each in told] == [9, 8]
    with pytest.raises(CodeRequired):
        uses(storage, alice, codes[0])


def test_a_recovery_code_is_its_persons_only(
    storage: Storage, alice: PersonRow, cheap: Passwords, enrolled: tuple[str, list[str]]
) -> None:
    def act(session: Session) -> None:
        bob = add_person(session, "bob", "Bob", None, Role.VIEWER, NOW, passwords=cheap)
        enrol(session, bob)
        totp.use(session, bob.id, enrolled[1][0], VAULT, NOW)

    with pytest.raises(CodeRequired):
        storage.write(act)


def test_the_database_knows_neither_the_secret_nor_the_recovery_codes(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    def everything(session: Session) -> str:
        rows = [*session.exec(select(TotpRow)), *session.exec(select(RecoveryCode))]
        return "".join(row.model_dump_json() for row in rows).upper()

    kept = storage.read(everything)
    assert enrolled[0] not in kept
    assert not [code for code in enrolled[1] if code.replace("-", "").upper() in kept]


def test_the_uri_names_server_and_login(storage: Storage, alice: PersonRow) -> None:
    offer = storage.write(lambda s: totp.begin(s, alice, VAULT, NOW))

    assert offer.uri == f"otpauth://totp/tocsin:alice?secret={offer.secret}&issuer=tocsin"
    assert len(offer.secret) == 32


def test_a_secret_is_in_force_when_its_first_code_has_come_and_the_one_before_until_then(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    offer = storage.write(lambda s: totp.begin(s, alice, VAULT, NOW))
    assert uses(storage, alice, code_at(enrolled[0], NOW)) == {"factor": "code"}

    with pytest.raises(Unprocessable, match="not the code of now"):
        storage.write(lambda s: totp.confirm(s, alice.id, "000000", VAULT, NOW))
    later_ms = NOW + 2 * STEP_MS
    new = storage.write(lambda s: totp.confirm(s, alice.id, code_at(offer.secret, later_ms), VAULT, later_ms))

    assert not set(new) & set(enrolled[1])
    with pytest.raises(CodeRequired):
        uses(storage, alice, code_at(enrolled[0], later_ms + STEP_MS), later_ms + STEP_MS)
    with pytest.raises(CodeRequired):
        uses(storage, alice, enrolled[1][0], later_ms)


def test_the_code_that_confirms_is_used_by_that(storage: Storage, alice: PersonRow) -> None:
    offer = storage.write(lambda s: totp.begin(s, alice, VAULT, NOW))
    code = code_at(offer.secret, NOW)
    storage.write(lambda s: totp.confirm(s, alice.id, code, VAULT, NOW))

    with pytest.raises(CodeRequired):
        uses(storage, alice, code)


def test_a_secret_waits_a_quarter_of_an_hour(storage: Storage, alice: PersonRow) -> None:
    offer = storage.write(lambda s: totp.begin(s, alice, VAULT, NOW))
    late_ms = NOW + PENDING_MS

    with pytest.raises(Conflict, match="begin again"):
        storage.write(lambda s: totp.confirm(s, alice.id, code_at(offer.secret, late_ms), VAULT, late_ms))


def test_after_a_reset_nothing_is_asked_for(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    assert storage.write(lambda s: totp.reset(s, alice.id))

    assert uses(storage, alice, "") == {}
    assert not storage.write(lambda s: totp.reset(s, alice.id))


def test_with_another_folders_key_nobody_gets_in_but_by_a_recovery_code(
    storage: Storage, alice: PersonRow, enrolled: tuple[str, list[str]]
) -> None:
    other = Vault(b"x" * 32)
    with pytest.raises(Misconfigured, match=r"identity\.key"):
        storage.write(lambda s: totp.use(s, alice.id, code_at(enrolled[0], NOW), other, NOW))

    assert storage.write(lambda s: totp.use(s, alice.id, enrolled[1][0], other, NOW))["left"] == 9
