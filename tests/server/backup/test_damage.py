"""A file that is not whole, not ours, or meant to do harm is refused before anything is written."""

import hashlib
import io
import os
import tarfile
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.backup.desk import file_in, make_desk, silent

from tocsin_server.backup.contents import SEAL_BYTES, Manifest, MemberFacts, TableFacts, seal
from tocsin_server.backup.make import backup, verify
from tocsin_server.backup.reader import BackupReader
from tocsin_server.backup.restore import restore
from tocsin_server.backup.writer import BackupWriter
from tocsin_server.datafolder import TABLES
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.migrate import newest

pytestmark = pytest.mark.scenario


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good backup."""
    folder = tmp_path_factory.mktemp("whole")
    make_desk(file_in(folder))
    (folder / "journal").mkdir()
    (folder / "journal" / "00000001.seg").write_bytes(os.urandom(700))
    backup(folder, file_in(folder), folder / "a.backup", now_ms=0, tell=silent)
    return (folder / "a.backup").read_bytes()


def read(content: bytes) -> Manifest:
    return BackupReader(io.BytesIO(content), Path("a.backup"), silent).verify()


def refusal(tmp_path: Path, content: bytes) -> str:
    """What a restore says; nothing is there afterwards."""
    path = tmp_path / "a.backup"
    path.write_bytes(content)
    with pytest.raises(Misconfigured) as refused:
        restore(path, tmp_path / "again", file_in(tmp_path), tell=silent)
    assert list(tmp_path.iterdir()) == [path]
    return str(refused.value)


def made(members: dict[str, bytes], **changes: object) -> bytes:
    """A backup with these members, sealed; its manifest tells of them what is true, but for the changes."""
    file = io.BytesIO()
    writer = BackupWriter(file, silent)
    for name, content in members.items():
        writer.add(name, len(content), [content])
    said = {"tocsin": "1", "revision": newest(), "made_ms": 0, "tables": ()} | changes
    writer.finish(**said)  # type: ignore[arg-type]
    return file.getvalue()


def packed(*infos: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Any tar, in gzip, sealed."""
    members = [info.tobuf() + content + bytes(-len(content) % 512) for info, content in infos]
    return sealed(b"".join(members) + bytes(1024))


def sealed(tar: bytes) -> bytes:

    deflate = zlib.compressobj(wbits=31)
    body = deflate.compress(tar) + deflate.flush()
    return body + seal(hashlib.sha256(body).hexdigest())


@given(st.data())
def test_any_bit_that_flips_is_noticed(whole: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Misconfigured, match=r"a\.backup"):
        read(bytes(damaged))


@given(st.data())
def test_any_end_that_is_missing_is_noticed(whole: bytes, data: st.DataObject) -> None:
    with pytest.raises(Misconfigured, match="is no backup, or has been cut off"):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=2000))
def test_what_is_no_backup_is_told_from_one(content: bytes) -> None:
    with pytest.raises(Misconfigured, match="is no backup"):
        read(content)


@given(st.binary(max_size=2000))
def test_a_seal_over_nonsense_helps_nobody(content: bytes) -> None:

    with pytest.raises(Misconfigured, match="is damaged"):
        read(content + seal(hashlib.sha256(content).hexdigest()))


def test_something_behind_the_end_is_noticed(whole: bytes) -> None:
    with pytest.raises(Misconfigured):
        read(whole + b"\x00")


def test_a_later_format_is_refused_by_its_number(whole: bytes) -> None:
    later = whole[:-SEAL_BYTES] + seal("0" * 64, 2)

    with pytest.raises(Misconfigured, match="has format 2, and this version reads 1"):
        read(later)


def test_a_later_revision_is_refused_with_the_version_to_use(tmp_path: Path) -> None:
    said = refusal(tmp_path, made({}, revision="9999", tocsin="7.0"))

    assert "revision '9999', which this version does not know" in said
    assert "tocsin 7.0" in said


@pytest.mark.parametrize("revision", ["head", "base", "0001:0002", "-1", ""])
def test_a_revision_is_a_revision_and_no_other_word_of_the_migrations(tmp_path: Path, revision: str) -> None:
    assert "does not know" in refusal(tmp_path, made({}, revision=revision))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "keys/../../passwd",
        "keys/authorized_keys",
        "keys/tocsin.db",
        "journal/1.seg",
        "journal/00000001.seg/x",
        "database/client.jsonl",
        "database/../x/000000.jsonl",
        "server.toml",
        "keys/identity.key\n",
    ],
)
def test_files_of_other_names_are_refused(tmp_path: Path, name: str) -> None:
    assert "a file of another name" in refusal(tmp_path, made({name: b"x"}))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"S", b"x", b"L"],
)
def test_links_devices_and_folders_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("keys/tls.pem")
    info.type, info.linkname = kind, "/etc/shadow"

    assert "something else than plain files" in refusal(tmp_path, packed((info, b"")))


def test_a_bomb_is_given_up(tmp_path: Path) -> None:
    info = tarfile.TarInfo("journal/00000001.seg")
    info.size = 200 << 20

    assert "inflates to more than" in refusal(tmp_path, packed((info, bytes(info.size))))


def test_a_manifest_too_large_to_read_whole_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("MANIFEST.json")
    info.size = (64 << 20) + 1

    assert "MANIFEST.json has 67108865 bytes" in refusal(tmp_path, packed((info, bytes(info.size))))


def test_a_member_that_ends_too_early_is_noticed(tmp_path: Path) -> None:
    info = tarfile.TarInfo("journal/00000001.seg")
    info.size = 5000

    assert "it ends too early" in refusal(tmp_path, sealed(info.tobuf() + bytes(512)))


def test_a_file_without_its_manifest_is_refused(tmp_path: Path) -> None:
    assert "its manifest is missing" in refusal(tmp_path, packed((tarfile.TarInfo("keys/tls.pem"), b"")))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"format": 1}',
        msgspec.json.encode(Manifest(1, "1", "0001", 0, (), (MemberFacts("keys/tls.pem", 1, "0"),))),
        msgspec.json.encode(Manifest(1, "1", "0001", 0, (TableFacts("client", ("id",), 1),), ())),
    ],
)
def test_a_manifest_that_tells_of_something_else_is_refused(tmp_path: Path, manifest: bytes) -> None:
    info = tarfile.TarInfo("MANIFEST.json")
    info.size = len(manifest)

    assert "is damaged" in refusal(tmp_path, packed((info, manifest)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": 1}', "a line is no row"),
        (b"[" * 50_000, "a line is no row"),
        (b'[1, [2], "Acme", 0]', "a line is no row"),
        (b"[1, 2]", "not as many as its manifest says"),
    ],
)
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, line: bytes, said: str) -> None:
    tables = [TableFacts("client", ("id", "slug", "name", "created_ms"), 1)]

    assert said in refusal(tmp_path, made({"database/client/000000.jsonl": line}, tables=tables))


def every_table(**instead: tuple[tuple[str, ...], int]) -> list[TableFacts]:
    facts = {t.name: (tuple(t.columns.keys()), 0) for t in TABLES.sorted_tables} | instead
    return [TableFacts(str(name), tuple(map(str, columns)), rows) for name, (columns, rows) in facts.items()]


CLIENT, SITE = ("id", "slug", "name", "created_ms"), ("id", "client_id", "slug", "name", "created_ms")
ODD_KEY = b'["a", 1, 1, "%%%", "", 0, null, null, null, null]'
AGENT = tuple(TABLES.tables["agent"].columns.keys())


@pytest.mark.parametrize(
    ("lines", "tables", "said"),
    [
        ({}, [], "it has no table"),
        ({}, every_table(mine=(("id",), 0)), "its revision has no table 'mine'"),
        ({}, every_table(client=(("id", "slug"), 0)), "the columns of client are not those of its revision"),
        ({"site": b'[1, 7, "berlin", "Berlin", 0]'}, every_table(site=(SITE, 1)), "points at a row of client"),
        ({"client": b'[1, null, "Acme", 0]'}, every_table(client=(CLIENT, 1)), "rows of client do not fit"),
        ({"client": b'[1e99, "a", "Acme", 0]'}, every_table(client=(CLIENT, 1)), "do not fit"),
        ({"client": b'[1, "a", "A", 99999999999999999999]'}, every_table(client=(CLIENT, 1)), "do not fit"),
        (
            {"client": b'[1, "a", "A", 0]\n[1, "b", "B", 0]'},
            every_table(client=(CLIENT, 2)),
            "rows of client do not fit: UNIQUE constraint failed",
        ),
        ({"agent": ODD_KEY}, every_table(agent=(AGENT, 1)), "not base64"),
    ],
)
def test_rows_that_do_not_fit_leave_nothing_behind(
    tmp_path: Path, lines: dict[str, bytes], tables: list[TableFacts], said: str
) -> None:
    members = {f"database/{name}/000000.jsonl": content for name, content in lines.items()}

    assert said in refusal(tmp_path, made(members, tables=tables))


def test_verifying_says_the_same(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "a.backup").write_bytes(whole[:-1])

    with pytest.raises(Misconfigured, match="is no backup, or has been cut off: use another one"):
        verify(tmp_path / "a.backup", tell=silent)
    with pytest.raises(Misconfigured, match="cannot be used"):
        verify(tmp_path / "absent", tell=silent)
