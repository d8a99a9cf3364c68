"""The server's keys are made once, are nobody else's to read, and survive two who come at once."""

import os
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity


def test_a_second_opening_finds_the_same_keys(tmp_path: Path) -> None:
    first, second = open_identity(tmp_path), open_identity(tmp_path)

    assert first.public_key_hex == second.public_key_hex
    assert first.fingerprint == second.fingerprint


def test_their_names_are_durable_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink().name)
    )

    open_identity(tmp_path)

    names = [name.rpartition(".")[0] if name.startswith(".") else name for name in synced]
    assert names == [".identity.key", tmp_path.name, ".tls.pem", tmp_path.name]


def test_what_it_signs_is_verified_by_the_public_key(tmp_path: Path) -> None:
    identity = open_identity(tmp_path)

    VerifyKey(bytes.fromhex(identity.public_key_hex)).verify(b"bell", identity.sign(b"bell"))


def test_the_fingerprint_is_that_of_the_certificate_that_tls_will_show(tmp_path: Path) -> None:
    identity = open_identity(tmp_path)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert_path, identity.key_path)
    pem = identity.cert_path.read_text().partition("-----BEGIN PRIVATE")[0]
    assert sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == identity.fingerprint


def test_only_the_owner_reads_the_files_and_nothing_else_is_left(tmp_path: Path) -> None:
    open_identity(tmp_path)

    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "identity.key": 0o600,
        "tls.pem": 0o600,
    }


def test_two_who_come_at_once_get_the_same_identity(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_identity(tmp_path), range(8)))

    assert len({(identity.public_key_hex, identity.fingerprint) for identity in opened}) == 1


def test_a_damaged_key_is_said_with_what_it_would_cost(tmp_path: Path) -> None:
    open_identity(tmp_path)
    (tmp_path / "identity.key").write_text("not a key")

    with pytest.raises(Misconfigured, match="every agent has to enrol again"):
        open_identity(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent/identity\.key cannot be used"):
        open_identity(tmp_path / "absent")


def test_it_shows_nothing_secret_of_itself(tmp_path: Path) -> None:
    identity = open_identity(tmp_path)

    seed = (tmp_path / "identity.key").read_text().strip()
    assert seed not in repr(identity)
