"""Runs one command on a host over SSH, and tells how it ended and what number it said.

The host's key is pinned: a host with another one is told nothing, neither password nor signature. Nothing of
the agent's own host is used: no keys of a user, no SSH agent, no known_hosts, no GSSAPI.

paramiko waits in places without any limit. So the connection is watched from outside: at the deadline it is
hung up, which wakes whoever waits, and after so many bytes it is at its end.
"""

import io
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

import paramiko

from tocsin_agent.probes.declared import Declared
from tocsin_agent.probes.dial import RESOLVER, Deadline, Endpoint, Phases, connect, way
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.hostkey import HostKey, parse_host_key
from tocsin_agent.readings import Sample, gauge
from tocsin_protocol.wire import MAX_SEALED_CHARACTERS

MOST_OUTPUT_BYTES = 64 << 10
# Key exchange, output and what a command says to stderr together; it is less than SSH's window, so that
# stderr, which nobody reads, never stops a command.
_MOST_SESSION_BYTES = 256 << 10
_RECEIVE_BYTES = 16 << 10
# paramiko's own limits come after the deadline, which alone decides.
_AFTER_S = 5.0
_FAREWELL_S = 1.0
_NUMBER = re.compile(rb"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?")
_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class Ssh:
    """One command on one host."""

    def __init__(self, options: Mapping[str, object], open_secret: Callable[[str], bytes]) -> None:
        declared = Declared("ssh", options)
        self._host = declared.host()
        self._port = declared.whole("port", 22)
        self._user = declared.text("user")
        self._command = declared.text("command", most=4096)
        host_key = parse_host_key(declared.text("host_key", most=8192))
        if host_key is None:
            raise declared.refused(
                "host_key", "a public key such as 'ssh-ed25519 AAAA…' (ssh-keyscan shows it)"
            )
        self._host_key = host_key
        self._sealed = _Sealed.of(declared)
        self._open_secret = open_secret
        _silence()

    def probe(self, deadline_s: float) -> list[Sample]:
        """The status and the number that the command gives; raises `Failed`."""
        deadline, phases = Deadline(deadline_s), Phases("resolve")
        with phases.timed("resolve"):
            endpoint = RESOLVER.endpoint(self._host, self._port, deadline)
        samples = way(endpoint, phases)
        try:
            with _session(connect(endpoint, deadline), endpoint, deadline) as session:
                session.shake(self._host_key)
                # The secret is opened no sooner than somebody is there who may have it.
                session.sign_in(self._user, self._sealed.credential(self._open_secret))
                status, output = session.run(self._command)
            return samples + _judged(endpoint, status, output)
        except Failed as failed:
            raise Failed(failed.reason, failed.words, [*samples, *failed.samples]) from failed


class _Sealed(NamedTuple):
    """The secret as it was declared: a password or a private key."""

    is_key: bool
    word: str

    @classmethod
    def of(cls, declared: Declared) -> "_Sealed":
        password = declared.text_or_none("password", most=MAX_SEALED_CHARACTERS)
        private_key = declared.text_or_none("private_key", most=MAX_SEALED_CHARACTERS)
        if (password is None) == (private_key is None):
            raise declared.refused("password", "given, or 'private_key', and not both")
        return cls(private_key is not None, private_key or password or "")

    def credential(self, open_secret: Callable[[str], bytes]) -> str | paramiko.PKey:
        """What it is when it is opened; raises `Failed`."""
        try:
            secret = open_secret(self.word).decode()
        except UnicodeDecodeError:
            raise Failed("credential", "the secret of an SSH probe is no text: seal it again") from None
        return _private_key(secret) if self.is_key else secret


def _private_key(text: str) -> paramiko.PKey:
    """The key in OpenSSH's or in PEM form. What a reader says of it could show it, and is dropped."""
    for kind in _KEY_CLASSES:
        try:
            return kind.from_private_key(io.StringIO(text))
        except paramiko.PasswordRequiredException:
            raise Failed(
                "credential", "the private key has a passphrase: seal one without, it is sealed already"
            ) from None
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue
    raise Failed(
        "credential", "the private key cannot be read: seal an OpenSSH key of type ed25519, ecdsa or rsa"
    )


class _MeteredSocket(socket.socket):
    """A socket that is at its end after so many bytes, whatever more its peer sends."""

    left_bytes = _MOST_SESSION_BYTES

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        received = super().recv(min(bufsize, self.left_bytes), flags) if self.left_bytes else b""
        self.left_bytes -= len(received)
        return received

    def hang_up(self) -> None:
        """Wakes whoever reads; the socket itself is closed by its owner."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


class _Session:
    """A connection, from the key exchange to the end of the command; each step within the deadline."""

    def __init__(
        self, transport: paramiko.Transport, line: _MeteredSocket, endpoint: Endpoint, deadline: Deadline
    ) -> None:
        self._transport = transport
        self._line = line
        self._endpoint = endpoint
        self._deadline = deadline

    def shake(self, pinned: HostKey) -> None:
        """The key exchange, with no other host than the one that is known by `pinned`."""
        options = self._transport.get_security_options()
        others = (kind for kind in options.key_types if kind not in pinned.algorithms)
        options.key_types = (*pinned.algorithms, *others)
        with self._step(f"the SSH handshake with {self._endpoint}"):
            self._transport.start_client(timeout=self._deadline.left_s())
            shown = self._transport.get_remote_server_key()
            self._compare(HostKey(shown.get_name(), shown.asbytes()), pinned)

    def _compare(self, shown: HostKey, pinned: HostKey) -> None:
        if shown.is_same(pinned):
            return
        raise Failed(
            "host_key_changed" if shown.kind == pinned.kind else "host_key_unknown",
            f"the host shows the key {shown}, but {pinned} is declared: declare the new one if the host was set"
            f" up anew, else somebody is in between ({self._endpoint})",
        )

    def sign_in(self, user: str, credential: str | paramiko.PKey) -> None:
        """As `user`, with one credential and no other."""
        with self._step(f"signing in at {self._endpoint} as {user}"):
            if isinstance(credential, paramiko.PKey):
                more = self._transport.auth_publickey(user, credential)
            else:
                more = self._transport.auth_password(user, credential)
            if more:
                raise Failed("credential", f"{self._endpoint} asks {user} for a second credential")

    def run(self, command: str) -> tuple[int, bytes]:
        """The exit status, -1 where there is none, and the output."""
        with self._step(f"running the command on {self._endpoint}"):
            channel = self._transport.open_session(timeout=self._deadline.left_s() + _AFTER_S)
            channel.exec_command(command)
            channel.shutdown_write()
            output = b""
            while received := channel.recv(_RECEIVE_BYTES):
                output += received
                if len(output) > MOST_OUTPUT_BYTES:
                    raise self._endless(f"{MOST_OUTPUT_BYTES >> 10} KiB of output")
            return channel.recv_exit_status(), output

    @contextmanager
    def _step(self, act: str) -> Iterator[None]:
        self._deadline.within(act)
        try:
            yield
        except Failed:
            raise
        except Exception as error:
            # All of them: paramiko hands on whatever its thread has met in what the peer sent.
            self._check(act)
            raise _failure(error, act, is_still_on=self._transport.is_active()) from error
        self._check(act)

    def _check(self, act: str) -> None:
        """An end that the deadline or the meter has made is theirs, however it looks."""
        self._deadline.within(act)
        if not self._line.left_bytes:
            raise self._endless(f"{_MOST_SESSION_BYTES >> 10} KiB in one session")

    def _endless(self, how_much: str) -> Failed:
        return Failed("endless", f"{self._endpoint} sends more than {how_much}")


@contextmanager
def _session(raw: socket.socket, endpoint: Endpoint, deadline: Deadline) -> Iterator[_Session]:
    """A session that leaves nothing behind, neither connection nor thread."""
    with _MeteredSocket(fileno=raw.detach()) as line:
        watch = threading.Timer(deadline.left_s(), line.hang_up)
        watch.daemon = True
        transport = paramiko.Transport(line)
        transport.banner_timeout = transport.handshake_timeout = deadline.left_s() + _AFTER_S
        transport.auth_timeout = deadline.left_s() + _AFTER_S
        try:
            watch.start()
            yield _Session(transport, line, endpoint, deadline)
        finally:
            watch.cancel()
            line.hang_up()
            transport.close()
            for thread in (watch, transport):
                if thread.is_alive():
                    thread.join(_FAREWELL_S)
            # The packetizer has a timer of its own, which closing leaves running.
            transport.packetizer.complete_handshake()


def _failure(error: Exception, act: str, *, is_still_on: bool) -> Failed:
    if isinstance(error, paramiko.BadAuthenticationType):
        return Failed("credential", f"{act}: that kind of credential is not taken")
    if isinstance(error, paramiko.AuthenticationException):
        return Failed("credential", f"{act}: the credential is refused")
    if is_still_on and isinstance(error, paramiko.SSHException):
        return Failed("refused", f"{act}: the host does not let it")
    if isinstance(error, EOFError | OSError):
        return Failed("refused", f"{act}: the connection was closed")
    return Failed("malformed", f"{act}: what comes is not SSH as it is understood here")


def _judged(endpoint: Endpoint, status: int, output: bytes) -> list[Sample]:
    if status < 0:
        raise Failed(
            "exit_status", f"the command on {endpoint} ended without a status: it was killed or cut off"
        )
    samples = [gauge("tocsin_ssh_exit_status", status)]
    number = _first_number(output)
    if number is not None:
        samples.append(gauge("tocsin_ssh_value", number))
    if status:
        raise Failed("exit_status", f"the command on {endpoint} ended with status {status}", samples)
    return samples


def _first_number(output: bytes) -> float | None:
    """The first word, if it is a number as people write one."""
    words = output.split(None, 1)
    if not words or _NUMBER.fullmatch(words[0]) is None:
        return None
    number = float(words[0])
    return number if abs(number) != float("inf") else None


def _silence() -> None:
    """paramiko's log holds what peers say; what is worth knowing is in the words of a failure."""
    log = logging.getLogger("paramiko")
    log.propagate = False
    log.setLevel(logging.CRITICAL + 1)
