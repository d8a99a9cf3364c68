"""SNMP v2c and v3: a device's interfaces, read through gufo-snmp, whose datagrams and keys are Rust's work.

The one idea: a conversation ends, whatever the device does.

1. A request waits for a third of the time there is, so that a datagram which is lost is asked for again.
2. The library waits anew after each stray datagram, for ever if they keep coming: a `Fuse` takes its socket
   away at the deadline.
3. A walk rises or is `endless`, and has no more rows than there may be interfaces.
4. What the library throws becomes a `Failed`; so do its panics, which derive from `BaseException`.

Not in its power: gufo-snmp signs what it sends in v3, but does not check the digests of what it gets. With
privacy nobody else can know the number of a request, which is checked; without it, whoever can read what is
sent can forge the answer, as in v2c.
"""

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from errno import ECONNREFUSED
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Self, TypeGuard, TypeVar

from tocsin_agent.probes.declared import Declared
from tocsin_agent.probes.dial import RESOLVER, Deadline, Endpoint
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.ifmib import MOST_INTERFACES, read
from tocsin_agent.readings import Sample
from tocsin_protocol.wire import MAX_SEALED_CHARACTERS

if TYPE_CHECKING:
    from gufo.snmp import User, ValueType
    from gufo.snmp.sync import SnmpSession

_ATTEMPTS = 3
_LEAST_WAIT_S = 0.05
_NUMBERS_AT_ONCE = 40
"""Their answer fits into a datagram of 1,472 bytes, in v3 too."""
_TEXTS_AT_ONCE = 12
"""The library takes 4,080 bytes: twelve texts of the 255 that they may have."""
_MOST_ROWS = 2 * MOST_INTERFACES
_LEAST_KEY_BYTES = 8
"""RFC 3414, 11.2."""
_LIBRARY_PANIC = "pyo3_runtime"
_ERROR_NUMBER = re.compile(r"\(os error (\d+)\)$")

Answer = TypeVar("Answer")


class Snmp:
    """Reads if_mib from one device; keys are made of their passphrases once, for that costs milliseconds."""

    def __init__(self, options: Mapping[str, object], open_secret: Callable[[str], bytes]) -> None:
        # A package of the extra `probes`: where it is missing, this must be known at once.
        import gufo.snmp.sync  # noqa: F401, PLC0415

        declared = Declared("snmp", options)
        self._host = declared.host()
        self._port = declared.whole("port", 161)
        self._most_interfaces = declared.whole("max_interfaces", MOST_INTERFACES, most=MOST_INTERFACES)
        self._community = ""
        self._user: User | None = None
        if declared.choice("version", ("2c", "3")) == "3":
            self._user = _user(declared, open_secret)
        else:
            self._community = _community(declared, open_secret)

    def probe(self, deadline_s: float) -> list[Sample]:
        """The device's interfaces; raises `Failed`."""
        deadline = Deadline(deadline_s)
        endpoint = RESOLVER.endpoint(self._host, self._port, deadline)
        conversation = Conversation(endpoint, deadline, community=self._community, user=self._user)
        with conversation:
            return read(conversation, most_interfaces=self._most_interfaces)


class Fuse:
    """Takes a socket away from whoever waits for it, at the deadline and not before it is left."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self._descriptor = descriptor
        # Now, for at the deadline this agent might have no descriptor left.
        self._nowhere = os.open(os.devnull, os.O_RDWR)
        self._timer = threading.Timer(seconds, self._blow)
        self._timer.daemon = True
        self._timer.start()

    def remove(self) -> None:
        """Returns when it can blow no more: the socket's number may soon be another file's."""
        self._timer.cancel()
        self._timer.join()
        os.close(self._nowhere)

    def _blow(self) -> None:
        line = socket.socket(fileno=self._descriptor)
        # Who waits is woken; who never waits, because so much comes, finds no socket under the number.
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.detach()
        os.dup2(self._nowhere, self._descriptor, inheritable=False)


class Conversation:
    """One poll of one device: questions, each asked again while there is time, and answers with an end."""

    def __init__(self, endpoint: Endpoint, deadline: Deadline, *, community: str, user: "User | None") -> None:
        self._endpoint = endpoint
        self._deadline = deadline
        self._community = community
        self._user = user
        self._has_answered = False

    def __enter__(self) -> Self:
        try:
            self._session = self._opened()
        except OSError as error:
            raise self._unreached(error) from None
        # The library has no name for it: the one way to end it from outside.
        self._fuse = Fuse(self._session._fd, self._deadline.left_s())  # noqa: SLF001
        try:
            if self._user is not None:
                # The engine's number, boots and time, which its keys and signatures are made with.
                self._ask(self._session.refresh)
        except BaseException:  # whatever it was goes on up; the fuse is not left behind
            self._fuse.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._fuse.remove()

    def scalars(self, oids: Sequence[str]) -> dict[str, int]:
        """The whole numbers among these objects, by OID."""
        values = self._ask(lambda: self._session.get_many(oids))
        return {oid: value for oid in oids if _is_number(value := values.get(oid))}

    def texts(self, column: str, *, most: int, is_cut: bool) -> dict[int, bytes]:
        """A column of texts by row; rows beyond `most` are endless, or left off where `is_cut`."""
        try:
            return self._texts(column, at_once=_TEXTS_AT_ONCE, most=most, is_cut=is_cut)
        except Failed as failure:
            if failure.reason != "malformed":
                raise
        # Perhaps they were together longer than the library's buffer.
        return self._texts(column, at_once=1, most=most, is_cut=is_cut)

    def numbers(self, column: str, rows: Sequence[int]) -> dict[int, int]:
        """A column of numbers as far as the last of these rows, which rise; there may be other rows in it."""
        # No more than there are: a device would go on with the next column.
        at_once = ceil(len(rows) / ceil(len(rows) / _NUMBERS_AT_ONCE))
        found: dict[int, int] = {}
        for row, value in self._walk(column, at_once=at_once, most=_MOST_ROWS, is_cut=False):
            if _is_number(value):
                found[row] = value
            if row >= rows[-1]:
                break
        return found

    def _texts(self, column: str, *, at_once: int, most: int, is_cut: bool) -> dict[int, bytes]:
        walk = self._walk(column, at_once=at_once, most=most, is_cut=is_cut)
        return {row: value for row, value in walk if isinstance(value, bytes)}

    def _walk(self, column: str, *, at_once: int, most: int, is_cut: bool) -> "Iterator[tuple[int, ValueType]]":
        step = partial(next, self._session.getbulk(column, at_once), None)
        position, last, count = len(column) + 1, 0, 0
        while (found := self._ask(step)) is not None:
            oid, value = found
            row = int(suffix) if (suffix := oid[position:]).isdecimal() else 0
            if row <= last:
                raise Failed("endless", f"{self._endpoint}: the rows of {column} do not rise")
            if count == most:
                if is_cut:
                    return
                raise Failed("endless", f"{self._endpoint}: {column} has more than {most} rows, and no end")
            last, count = row, count + 1
            yield row, value

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer, though a datagram be lost; raises `Failed`."""
        for _ in range(_ATTEMPTS):
            try:
                answer = question()
            except (TimeoutError, BlockingIOError) as error:
                if _says_refused(error):
                    raise self._unreached(error) from None
                continue
            except BaseException as error:  # noqa: BLE001 - Rust's panics are no `Exception`
                raise self._failure(error) from None
            self._has_answered = True
            return answer
        raise self._silence()

    def _opened(self) -> "SnmpSession":
        from gufo.snmp.sync import SnmpSession  # noqa: PLC0415 - of the extra `probes`

        address, *rest = self._endpoint.address
        scope = f"%{rest[2]}" if len(rest) > 2 and rest[2] else ""
        return SnmpSession(
            f"{address}{scope}",
            port=self._endpoint.port,
            community=self._community,
            user=self._user,
            timeout=max(_LEAST_WAIT_S, self._deadline.left_s() / _ATTEMPTS),
        )

    def _failure(self, error: BaseException) -> BaseException:
        """What this is to who asked; what has nothing to do with the device stays what it is."""
        from gufo.snmp import SnmpAuthError, SnmpError  # noqa: PLC0415 - of the extra `probes`

        is_panic = type(error).__module__ == _LIBRARY_PANIC
        if not isinstance(error, Exception) and not is_panic:
            return error
        if self._deadline.left_s() <= 0:
            return self._silence()
        if isinstance(error, SnmpAuthError):
            return Failed("credential", f"{self._endpoint} {self._refused_credential}")
        if isinstance(error, OSError):
            return self._unreached(error)
        if is_panic or isinstance(error, SnmpError | ValueError):
            return Failed(
                "malformed", f"{self._endpoint}: an answer is not SNMP, or longer than 4,080 bytes ({error})"
            )
        return error

    def _unreached(self, error: OSError) -> Failed:
        number = _ERROR_NUMBER.search(str(error))
        if _says_refused(error) or (number and int(number[1]) == ECONNREFUSED):
            return Failed("refused", f"{self._endpoint}: nothing listens on UDP port {self._endpoint.port}")
        why = os.strerror(int(number[1])) if number else str(error)
        return Failed("unreachable", f"{self._endpoint} cannot be reached: {why}")

    def _silence(self) -> Failed:
        if self._has_answered:
            return self._deadline.over(f"{self._endpoint} has answered, but not to the end: reading if_mib")
        if self._user is not None and self._session.get_engine_id():
            return Failed(
                "credential",
                f"{self._endpoint} names its engine, but answers nothing that is meant for its users: a wrong"
                " privacy key looks like this",
            )
        seems = "community" if self._user is None else "user"
        return Failed(
            "timeout",
            f"no answer from {self._endpoint} on UDP port {self._endpoint.port}: it is down or does not let"
            f" this agent in, or a firewall is in the way; a wrong {seems} looks the same",
        )

    @property
    def _refused_credential(self) -> str:
        if self._user is None:
            return "does not let this community read IF-MIB"
        return "refuses the user, its keys or their algorithms"


def _community(declared: Declared, open_secret: Callable[[str], bytes]) -> str:
    try:
        return open_secret(declared.text("community", most=MAX_SEALED_CHARACTERS)).decode()
    except UnicodeDecodeError:
        raise Failed("credential", "the community is not text in UTF-8: seal it again") from None


def _user(declared: Declared, open_secret: Callable[[str], bytes]) -> "User":
    """A user of SNMP v3 with keys that need no passphrase any more."""
    from gufo import snmp  # noqa: PLC0415 - of the extra `probes`
    from gufo.snmp.user import KeyType  # noqa: PLC0415

    signing = {
        "md5": snmp.Md5Key,
        "sha1": snmp.Sha1Key,
        "sha256": snmp.Sha256Key,
        "sha512": snmp.Sha512Key,
    }
    hiding = {"aes128": snmp.Aes128Key, "des": snmp.DesKey}
    name = declared.text("user", most=32)
    auth = _algorithm(declared, "auth", tuple(signing))
    priv = _algorithm(declared, "priv", tuple(hiding))
    if auth is None:
        if priv is not None:
            raise declared.refused("auth", f"given beside 'priv': one of {', '.join(signing)}")
        return snmp.User(name)

    def master(option: str) -> bytes:
        passphrase = open_secret(declared.text(option, most=MAX_SEALED_CHARACTERS))
        if len(passphrase) < _LEAST_KEY_BYTES:
            raise Failed("credential", f"{option} is shorter than {_LEAST_KEY_BYTES} bytes, which SNMP forbids")
        return signing[auth].get_master_key(passphrase)

    return snmp.User(
        name,
        auth_key=signing[auth](master("auth_key"), KeyType.Master),
        priv_key=hiding[priv](master("priv_key"), KeyType.Master) if priv else None,
    )


def _algorithm(declared: Declared, option: str, among: tuple[str, ...]) -> str | None:
    """The algorithm, or None where neither it nor a key is declared: a key must not be left unused."""
    if declared.text_or_none(option) is not None:
        return declared.choice(option, among)
    if declared.text_or_none(f"{option}_key", most=MAX_SEALED_CHARACTERS) is not None:
        raise declared.refused(option, f"given beside '{option}_key': one of {', '.join(among)}")
    return None


def _is_number(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 64


def _says_refused(error: OSError) -> bool:
    """The library's only words for this; its other timeouts have none."""
    return isinstance(error, TimeoutError) and "refused" in str(error)
