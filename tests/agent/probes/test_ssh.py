"""One command over SSH: the host's key first, then the credential, then the command; and an end to it all."""

import contextlib
import io
import logging
import socket
import threading
from collections.abc import Callable, Iterator

import paramiko
import pytest
from tests.agent.probes.peers import (
    Serve,
    answering,
    at_most,
    dripping,
    endlessly,
    listening,
    silent,
    values,
)
from tests.processes import until

from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.ssh import Ssh

pytestmark = pytest.mark.peers

HOST_KEY = paramiko.ECDSAKey.generate()
OTHER_KEY = paramiko.ECDSAKey.generate()
RSA_KEY = paramiko.RSAKey.generate(2048)
USER_KEY = paramiko.ECDSAKey.generate()
PASSWORD = "open sesame"


def line_of(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def pem_of(key: paramiko.PKey, password: str | None = None) -> str:
    written = io.StringIO()
    key.write_private_key(written, password=password)
    return written.getvalue()


Run = Callable[[paramiko.Channel], None]


class Desk(paramiko.ServerInterface):
    """Lets Alice in with her password or her key, and runs what the test says for any command."""

    def __init__(self, run: Run, *, takes_commands: bool = True) -> None:
        self.tried: list[object] = []
        self.commands: list[bytes] = []
        self.stdin: bytes | None = None
        self._run = run
        self._takes_commands = takes_commands

    def get_allowed_auths(self, username):
        return "password,publickey"

    def check_auth_password(self, username, password):
        self.tried.append(password)
        is_good = (username, password) == ("alice", PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if is_good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username, key):
        self.tried.append(key)
        is_good = username == "alice" and key == USER_KEY
        return paramiko.AUTH_SUCCESSFUL if is_good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.commands.append(command)
        if self._takes_commands is None:
            threading.Event().wait(5)  # never answers, as far as a probe can tell
        if self._takes_commands:
            threading.Thread(target=self._serve, args=(channel,), daemon=True).start()
        return bool(self._takes_commands)

    def _serve(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            # The end of the command's stdin comes after the answer to its request has gone.
            self.stdin = channel.recv(1)
            self._run(channel)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()


@contextlib.contextmanager
def desk(run: Run, *keys: paramiko.PKey, **more) -> Iterator[tuple[Desk, int]]:
    """An SSH server on loopback; its desk and its port."""
    served = Desk(run, **more)

    def serve(accepted: socket.socket) -> None:
        transport = paramiko.Transport(accepted)
        for key in keys or (HOST_KEY,):
            transport.add_server_key(key)
        with contextlib.suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=served)
            transport.join(20)
        transport.close()

    with listening(serve) as port:
        yield served, port


def saying(output: bytes, *, status: int = 0, errors: bytes = b"") -> Run:
    def run(channel: paramiko.Channel) -> None:
        channel.sendall_stderr(errors)
        channel.sendall(output)
        channel.send_exit_status(status)

    return run


def ssh(port: int, secret: str | None = None, **options) -> Ssh:
    declared = {
        "address": "127.0.0.1",
        "port": port,
        "user": "alice",
        "password": "sealed:p",
        "host_key": line_of(HOST_KEY),
        "command": "cat /run/queue",
        **options,
    }
    return Ssh(
        {name: value for name, value in declared.items() if value is not None},
        lambda sealed: (secret or PASSWORD).encode(),
    )


def failure(probe: Ssh, deadline_s: float = 10) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(deadline_s)
    assert (secret := PASSWORD) not in failed.value.words, secret
    return failed.value


def threads_of_probes() -> list[str]:
    """paramiko's threads on the client's side, and the watches of sessions."""
    names = []
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            names.append(thread.function.__name__)
        if isinstance(thread, paramiko.Transport) and not thread.server_mode:
            names.append("transport")
    return names


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    until("no thread of a probe is left", lambda: not threads_of_probes(), seconds=3)


def test_the_status_and_the_number_of_the_output_are_told():
    with desk(saying(b" 42.5 messages wait\n", errors=b"7")) as (served, port):
        read = values(ssh(port).probe(10))

    assert read.pop("probe_dns_lookup_time_seconds") < 1
    assert read == {"probe_ip_protocol": 4, "tocsin_ssh_exit_status": 0, "tocsin_ssh_value": 42.5}
    assert served.commands == [b"cat /run/queue"]


def test_nothing_is_left_when_the_probe_is_done():
    with desk(saying(b"1")) as (_, port):
        ssh(port).probe(10)

        # The server is in this process too, and has a timer of its own for a moment.
        assert set(threads_of_probes()) <= {"read_timer"}


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (b"", None),
        (b"-3e2", -300),
        (b".5\n6", 0.5),
        (b"nan", None),
        (b"inf", None),
        (b"1e999", None),
        (b"1_000", None),
        (b"12%", None),
        (b"\xff\x00 7", None),
    ],
)
def test_the_first_word_is_a_value_only_where_it_is_a_number(output, value):
    with desk(saying(output)) as (_, port):
        read = values(ssh(port).probe(10))

    assert read.get("tocsin_ssh_value") == value


def test_a_status_that_is_not_zero_fails_with_what_was_read():
    with desk(saying(b"3 disks are gone", status=2)) as (_, port):
        failed = failure(ssh(port))

    read = values(failed.samples)
    assert (failed.reason, read["tocsin_ssh_exit_status"], read["tocsin_ssh_value"]) == ("exit_status", 2, 3)


def test_a_command_that_ends_without_a_status_fails():
    with desk(lambda channel: channel.sendall(b"1")) as (_, port):
        failed = failure(ssh(port))

    assert failed.reason == "exit_status"
    assert "without a status" in failed.words


def test_the_command_finds_its_stdin_closed():
    with desk(saying(b"1")) as (served, port):
        ssh(port).probe(10)

    assert served.stdin == b""


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([OTHER_KEY], "host_key_changed"),
        ([RSA_KEY], "host_key_unknown"),
        ([RSA_KEY, OTHER_KEY], "host_key_changed"),
    ],
)
def test_a_host_with_another_key_is_told_nothing(keys, reason):
    with desk(saying(b"1"), *keys) as (served, port):
        failed = failure(ssh(port))

    assert failed.reason == reason
    assert keys[-1].fingerprint in failed.words
    assert HOST_KEY.fingerprint in failed.words
    assert served.tried == []


def test_the_key_that_is_declared_is_asked_for_of_a_host_with_several():
    with desk(saying(b"1"), HOST_KEY, RSA_KEY) as (_, port):
        assert ssh(port).probe(10)
        assert ssh(port, host_key=line_of(RSA_KEY)).probe(10)


def test_a_private_key_signs_in():
    with desk(saying(b"1")) as (_, port):
        assert ssh(port, pem_of(USER_KEY), password=None, private_key="sealed:k").probe(10)


def test_a_wrong_credential_is_named_and_tried_once():
    with desk(saying(b"1")) as (served, port):
        wrong = failure(ssh(port, "hunter2"))
        foreign = failure(ssh(port, pem_of(OTHER_KEY), password=None, private_key="sealed:k"))

    assert (wrong.reason, foreign.reason) == ("credential", "credential")
    assert "hunter2" not in wrong.words
    assert "alice" in wrong.words
    assert served.tried.count("hunter2") == 1


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("no key at all", "cannot be read"),
        (pem_of(USER_KEY)[:120], "cannot be read"),
        (pem_of(USER_KEY, password="swordfish"), "passphrase"),
    ],
    ids=["no key", "cut", "with a passphrase"],
)
def test_a_private_key_that_cannot_be_used_is_not_shown(secret, words):
    with desk(saying(b"1")) as (_, port):
        failed = failure(ssh(port, secret, password=None, private_key="sealed:k"))

    assert failed.reason == "credential"
    assert words in failed.words
    assert secret[:20] not in failed.words


def test_a_host_that_runs_no_command_refuses():
    with desk(saying(b"1"), takes_commands=False) as (_, port):
        failed = failure(ssh(port))

    assert failed.reason == "refused"


def forever(channel: paramiko.Channel) -> None:
    while True:
        channel.sendall(b"x" * 8192)


def forever_in_errors(channel: paramiko.Channel) -> None:
    while True:
        channel.sendall_stderr(b"x" * 8192)


def asleep(channel: paramiko.Channel) -> None:
    threading.Event().wait(5)


@pytest.mark.parametrize(
    ("run", "reason", "more"),
    [
        (forever, "endless", {}),
        (forever_in_errors, "endless", {}),
        (asleep, "timeout", {}),
        (asleep, "timeout", {"takes_commands": None}),
    ],
)
def test_a_command_without_end_is_ended(run, reason, more):
    with desk(run, **more) as (_, port), at_most(4):
        failed = failure(ssh(port), deadline_s=1.5)

    assert failed.reason == reason


def stalling_in_key_exchange(accepted: socket.socket) -> None:
    accepted.sendall(b"SSH-2.0-Stall\r\n")
    silent(accepted)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (silent, "timeout"),
        (stalling_in_key_exchange, "timeout"),
        (dripping(b"SSH-2.0-"), "timeout"),
        (dripping(b"SSH-2.0-x\r\n\x00\x00\x03\xfc"), "timeout"),
        (endlessly(b"", b"x" * 1000), "endless"),  # one line of greeting
        # SSH_MSG_IGNORE, as large as it may be.
        (endlessly(b"SSH-2.0-x\r\n", b"\x00\x00\xff\xfc\x04\x02" + b"\x00" * 65530), "endless"),
        (endlessly(b"SSH-2.0-x\r\n\x7f\xff\xff\xff", b"\xff" * 1000), None),
        (answering(b"HTTP/1.1 400 Bad Request\r\n" * 200), "malformed"),
        (answering(b"\xff\xfe\n"), "malformed"),
        (answering(b"SSH-2.0-x\r\n" + b"\x00" * 5000), None),
        (answering(b"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14" + b"\xff" * 100), None),  # a key exchange of noise
        (lambda accepted: None, None),
    ],
)
def test_a_peer_that_speaks_no_ssh_is_left_in_time(serve: Serve, reason, capsys, caplog):
    with caplog.at_level(logging.DEBUG), listening(serve) as port, at_most(2.5):
        failed = failure(ssh(port), deadline_s=0.6)

    assert failed.reason in ({reason} if reason else {"malformed", "refused", "endless"})
    assert failed.words.isprintable()
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host_key": "ssh-ed25519 AAAA"}, "'host_key' must be a public key"),
        ({"host_key": None}, "'host_key' must be given"),
        ({"password": None}, "'password' must be given, or 'private_key'"),
        ({"private_key": "sealed:k"}, "not both"),
        ({"user": None}, "'user'"),
        ({"command": "a\nb"}, "'command' must be one line"),
        ({"address": "a/b"}, "'address'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(options, words):
    with pytest.raises(Misdeclared, match=words):
        ssh(22, **options)
