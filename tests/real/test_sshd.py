"""Debian's OpenSSH server as the host: pinned keys of each type, users' keys, commands and their ends."""

import getpass
import subprocess
from collections.abc import Iterator

import pytest
from tests.agent.probes.peers import at_most, values
from tests.real.servers import Sshd, find

from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.ssh import Ssh

pytestmark = pytest.mark.real


class SshdOfMany(Sshd):
    """With a host key of each type beside its own."""

    TYPES = ("rsa", "ecdsa")

    def command(self) -> list[str]:
        command = super().command()
        with (self.folder / "sshd_config").open("a") as config:
            config.writelines(f"HostKey {self.folder / kind}\n" for kind in self.TYPES)
        return command

    def make(self, *flags: str, name: str) -> str:
        """A key of any form; its private half."""
        made = ["ssh-keygen", "-q", "-N", "", "-f", str(self.folder / name), *flags]
        subprocess.run(made, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        return (self.folder / name).read_text()


@pytest.fixture(scope="module")
def sshd(require, tmp_path_factory) -> Iterator[SshdOfMany]:
    server = SshdOfMany(require(find("sshd"), "openssh-server"), tmp_path_factory.mktemp("sshd"))
    for kind in SshdOfMany.TYPES:
        server.make("-t", kind, name=kind)
    with server:
        yield server


def ssh(sshd: Sshd, command: str = "echo 42", *, secret: str | None = None, **options) -> Ssh:
    declared = {
        "address": "127.0.0.1",
        "port": sshd.port,
        "user": getpass.getuser(),
        "private_key": "sealed:k",
        "host_key": sshd.host_key,
        "command": command,
        **options,
    }
    given = {name: value for name, value in declared.items() if value is not None}
    return Ssh(given, lambda sealed: (secret or sshd.user_key).encode())


def failure(probe: Ssh, deadline_s: float = 10) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(deadline_s)
    return failed.value


def test_a_command_is_run_and_its_number_is_read(sshd):
    read = values(ssh(sshd, "echo 42.5 messages; echo warning >&2").probe(10))

    assert (read["tocsin_ssh_exit_status"], read["tocsin_ssh_value"]) == (0, 42.5)


def test_stdin_is_at_its_end(sshd):
    assert values(ssh(sshd, "wc -c").probe(10))["tocsin_ssh_value"] == 0


def test_no_command_is_too_short_to_be_read(sshd):
    for _ in range(5):
        assert values(ssh(sshd, "true").probe(10))["tocsin_ssh_exit_status"] == 0


@pytest.mark.parametrize("kind", ["host", *SshdOfMany.TYPES])
def test_a_key_of_each_type_can_be_pinned(sshd, kind):
    kind_and_key = " ".join((sshd.folder / f"{kind}.pub").read_text().split()[:2])

    assert ssh(sshd, host_key=kind_and_key).probe(10)


def test_another_key_than_the_pinned_one_is_named_with_both_fingerprints(sshd):
    sshd.make("-t", "ed25519", name="foreign")
    foreign = (sshd.folder / "foreign.pub").read_text().strip()
    shown = [
        subprocess.run(
            ["ssh-keygen", "-l", "-f", str(sshd.folder / f"{name}.pub")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()[1]
        for name in ("host", "foreign")
    ]

    failed = failure(ssh(sshd, host_key=foreign))

    assert failed.reason == "host_key_changed"
    assert all(fingerprint in failed.words for fingerprint in shown)


@pytest.mark.parametrize(
    "flags",
    [("-t", "rsa", "-b", "2048", "-m", "PEM"), ("-t", "ecdsa", "-m", "PEM"), ("-t", "ecdsa"), ("-t", "rsa")],
)
def test_a_users_key_may_have_any_form(sshd, flags):
    name = "user" + "".join(flags)
    key = sshd.make(*flags, name=name)
    public = (sshd.folder / f"{name}.pub").read_text()
    with (sshd.folder / "user.pub").open("a") as authorized:
        authorized.write(public)

    assert ssh(sshd, secret=key).probe(10)


def test_a_foreign_key_and_a_password_are_refused(sshd):
    foreign = sshd.make("-t", "ed25519", name="foreign-user")

    refused = failure(ssh(sshd, secret=foreign))
    not_taken = failure(ssh(sshd, secret="open sesame", private_key=None, password="sealed:p"))

    assert (refused.reason, not_taken.reason) == ("credential", "credential")
    assert "open sesame" not in not_taken.words


def test_how_a_command_ends_is_told(sshd):
    failed = failure(ssh(sshd, "echo 3; exit 2"))
    killed = failure(ssh(sshd, "kill -9 $$"))

    read = values(failed.samples)
    assert (failed.reason, read["tocsin_ssh_exit_status"], read["tocsin_ssh_value"]) == ("exit_status", 2, 3)
    assert killed.reason == "exit_status"
    assert "without a status" in killed.words


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sleep 60", "timeout"),
        ("yes", "endless"),
        ("yes >&2", "endless"),
        ("cat /dev/zero | head -c 70000", "endless"),
    ],
)
def test_a_command_without_end_is_ended(sshd, command, reason):
    with at_most(4):
        failed = failure(ssh(sshd, command), deadline_s=2)

    assert failed.reason == reason
