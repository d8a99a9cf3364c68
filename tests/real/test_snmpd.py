"""Debian's snmpd as the device: this machine's own interfaces, in v2c and in every way of v3."""

from collections.abc import Iterator

import psutil
import pytest
from tests.processes import until
from tests.real.servers import Snmpd, find

from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.snmp import Snmp
from tocsin_agent.readings import Sample

pytestmark = pytest.mark.real

COMMUNITY = "reads-it-all"
CONFIG = """
rocommunity sees-little 127.0.0.1 .1.3.6.1.2.1.25
createUser alice SHA "alice signs it" AES "alice hides it"
rouser alice priv
createUser bob SHA-256 "bob signs it" DES "bob hides it"
rouser bob priv
createUser carol SHA-512 "carol signs it" AES "carol hides it"
rouser carol priv
createUser dave MD5 "dave signs it"
rouser dave auth
createUser erin
rouser erin noauth
"""
ALICE = {
    "version": "3",
    "user": "alice",
    "auth": "sha1",
    "auth_key": "alice signs it",
    "priv": "aes128",
    "priv_key": "alice hides it",
}
USERS = {
    "SHA-1 and AES": ALICE,
    "SHA-256 and DES": {
        **ALICE,
        "user": "bob",
        "auth": "sha256",
        "auth_key": "bob signs it",
        "priv": "des",
        "priv_key": "bob hides it",
    },
    "SHA-512 and AES": {
        **ALICE,
        "user": "carol",
        "auth": "sha512",
        "auth_key": "carol signs it",
        "priv_key": "carol hides it",
    },
    "MD5 alone": {"version": "3", "user": "dave", "auth": "md5", "auth_key": "dave signs it"},
    "neither": {"version": "3", "user": "erin"},
}


class SnmpdOfMany(Snmpd):
    """With a community that may not see interfaces, and a user for each way of v3."""

    def command(self) -> list[str]:
        command = super().command()
        with (self.folder / "snmpd.conf").open("a") as config:
            config.write(CONFIG)
        return command


@pytest.fixture(scope="module")
def port(require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where snmpd listens."""
    program = require(find("snmpd"), "snmpd")
    with SnmpdOfMany(program, tmp_path_factory.mktemp("snmpd"), community=COMMUNITY) as snmpd:
        yield snmpd.port


def polled(port: int, **options: object) -> list[Sample]:
    """What is read with these options, secrets in clear."""
    return Snmp({"address": "127.0.0.1", "port": port, **options}, str.encode).probe(2.0)


def failure_of(port: int, **options: object) -> Failed:
    with pytest.raises(Failed) as caught:
        polled(port, **options)
    return caught.value


def names_and_labels(samples: list[Sample]) -> set[object]:
    return {(sample.name, sample.labels) for sample in samples}


def test_the_interfaces_of_this_machine_are_read(port) -> None:
    before = psutil.net_io_counters(pernic=True)
    samples = polled(port, community=COMMUNITY)

    names = {dict(sample.labels)["ifName"] for sample in samples if sample.labels}
    loopback = {sample.name: sample.value for sample in samples if ("ifName", "lo") in sample.labels}
    assert names == set(before)
    assert loopback["ifOperStatus"] == loopback["ifAdminStatus"] == 1
    # softwareLoopback
    assert loopback["ifType"] == 24
    assert loopback["ifMtu"] == psutil.net_if_stats()["lo"].mtu
    assert "ifHCInOctets" in loopback
    assert "ifInOctets" not in loopback


def test_octets_are_those_of_the_kernel(port) -> None:
    def both() -> tuple[int, float]:
        samples = polled(port, community=COMMUNITY)
        read = next(s.value for s in samples if s.name == "ifHCInOctets" and ("ifName", "lo") in s.labels)
        return psutil.net_io_counters(pernic=True)["lo"].bytes_recv, read

    begun, _ = both()

    # snmpd keeps what it has read for some seconds.
    until("snmpd reads the kernel's counters anew", lambda: both()[1] >= begun)
    read, at_most = both()[1], psutil.net_io_counters(pernic=True)["lo"].bytes_recv
    assert begun <= read <= at_most


@pytest.mark.parametrize("options", USERS.values(), ids=USERS)
def test_every_user_of_v3_reads_what_a_community_reads(port, options) -> None:
    assert names_and_labels(polled(port, **options)) == names_and_labels(polled(port, community=COMMUNITY))


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth_key": "alice forgot it"},
        {"priv_key": "alice forgot it"},
        {"user": "mallory"},
        # She may read with privacy only.
        {"priv": None, "priv_key": None},
        {"auth": "sha256"},
    ],
)
def test_a_wrong_user_or_key_is_a_wrong_credential(port, wrong) -> None:
    failure = failure_of(port, **ALICE | wrong)

    assert failure.reason == "credential"
    assert "forgot" not in failure.words


def test_a_wrong_community_is_not_answered(port) -> None:
    failure = failure_of(port, community="guessed")

    assert failure.reason == "timeout"
    assert "a wrong community looks the same" in failure.words
    assert "guessed" not in failure.words


def test_a_community_that_does_not_see_interfaces_is_a_wrong_credential(port) -> None:
    assert failure_of(port, community="sees-little").reason == "credential"
