"""The folder of days: what is written is there, merged, kept and deleted as it should be."""

import sqlite3

import numpy as np
import pytest
from tests.server.series.history.arrays import HOUR_MS, bits, execute, stretch

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.errors import Unavailable
from tocsin_server.series.history.chunks import unpack_chunk
from tocsin_server.series.history.dayfile import DAY_MS, DayFile, Grain, Key, Row
from tocsin_server.series.history.days import Closing, Days, Keep, Retention, day_path, day_paths
from tocsin_server.series.history.entries import unpack_entries
from tocsin_server.series.history.errors import Newer

DAY = HOUR_MS // DAY_MS * DAY_MS
HOURS = 3_600_000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "history"


@pytest.fixture
def days(folder):
    return Days(folder)


def stored(folder, key: Key) -> dict[str, list] | None:
    """Times and series of an hour, to the bit."""
    with DayFile(day_path(folder, key.hour_ms // DAY_MS * DAY_MS), read_only=True) as day:
        row = day.get(key)
        if row is None:
            return None
        names = [one.name for one in unpack_entries(row.digest, day.get_entries(row.digest))]
    times, values = unpack_chunk(row.content)
    return {"times": times.tolist(), **dict(zip(names, bits(values), strict=False))}


def samples(host: int = 7, client: int = 1, hour_ms: int = HOUR_MS) -> Key:
    return Key(Grain.SAMPLES, client, host, hour_ms)


def as_bits(*row: float) -> list:
    return bits(np.array(row, np.float64))


def test_what_is_written_is_there_for_another_reader(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 1], a=[1, 2]))])

    assert stored(folder, samples()) == {"times": [HOUR_MS, HOUR_MS + 1], "a": as_bits(1, 2)}


def test_a_stretch_over_midnight_lies_in_two_files(days, folder):
    written = days.write([Closing(1, 7, stretch([DAY + DAY_MS - 1, DAY + DAY_MS], a=[1, 2]))])

    assert written == 2
    assert [path.name for _, path in day_paths(folder)] == ["2023-11-14.db", "2023-11-15.db"]
    assert stored(folder, samples(hour_ms=DAY + DAY_MS))["a"] == as_bits(2)


def test_late_data_joins_its_hour_and_overrules_nothing(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 2], a=[1, 3]))])

    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 1], a=[9, 2], b=[8, 8]))])

    assert stored(folder, samples()) == {
        "times": [HOUR_MS, HOUR_MS + 1, HOUR_MS + 2],
        "a": as_bits(1, 2, 3),
        "b": as_bits(8, 8, STALE_NAN),
    }
    rollup = stored(folder, samples()._replace(grain=Grain.ROLLUP))
    assert rollup["a"] == as_bits(1)


def test_an_hour_that_is_written_again_changes_nothing(days):
    closing = Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 2], a=[1, 3]))

    assert [days.write([closing]), days.write([closing])] == [1, 0]


def test_hosts_with_the_same_series_share_their_names(days, folder):
    days.write([Closing(1, host, stretch([HOUR_MS], a=[host])) for host in range(5)])

    assert execute(day_path(folder, DAY), "SELECT count(*) FROM entries") == [(1,)]


def test_a_damaged_chunk_gives_way_to_what_is_written(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])
    execute(day_path(folder, DAY), "UPDATE chunks SET content = x'0102' WHERE grain = 0")

    days.write([Closing(1, 7, stretch([HOUR_MS + 1], a=[2]))])

    assert stored(folder, samples())["a"] == as_bits(2)


def test_a_file_that_is_no_database_makes_way_and_is_kept(days, folder):
    day_path(folder, DAY).write_bytes(b"no database at all" * 100)

    written = days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])

    assert written == 1
    assert (folder / "2023-11-14.db.damaged").read_bytes().startswith(b"no database at all")
    assert days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))]) == 0


def test_a_file_of_a_newer_version_is_left_alone(days, folder):
    execute(day_path(folder, DAY), "PRAGMA user_version = 9")

    with pytest.raises(Newer, match="version 9"):
        days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])

    assert not (folder / "2023-11-14.db.damaged").exists()


def test_a_call_that_fails_leaves_the_day_as_it_was(days, folder, monkeypatch):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])

    put = DayFile.put

    def full(self, key: Key, row: Row) -> None:
        if key.host_id == 8:
            return put(self, key, row)
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    closings = [Closing(1, 8, stretch([HOUR_MS], a=[1])), Closing(1, 7, stretch([HOUR_MS + 1], a=[2]))]
    monkeypatch.setattr(DayFile, "put", full)
    with pytest.raises(Unavailable, match="is full"):
        days.write(closings)

    assert stored(folder, samples())["a"] == as_bits(1)
    assert stored(folder, samples(8)) is None


def test_a_host_with_too_many_names_keeps_nobody_else_s_hour_from_being_written(days, folder, monkeypatch):
    monkeypatch.setattr("tocsin_server.series.history.entries.MAX_BYTES", 20)
    huge = stretch([HOUR_MS], **{"a" * 30: [1]})

    written = days.write([Closing(1, 7, huge), Closing(1, 8, stretch([HOUR_MS], a=[1]))])

    assert written == 1
    assert stored(folder, samples(7)) is None
    assert stored(folder, samples(8)) is not None


def test_what_is_written_never_has_more_than_a_chunk_holds(days, folder, monkeypatch):
    monkeypatch.setattr("tocsin_server.series.history.stretches.MAX_CELLS", 2)

    days.write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 1], a=[1, 2], b=[3, 4]))])

    assert stored(folder, samples()) == {"times": [HOUR_MS, HOUR_MS + 1], "a": as_bits(1, 2)}


def test_files_are_for_their_owner_only(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])

    assert folder.stat().st_mode & 0o777 == 0o700
    assert day_path(folder, DAY).stat().st_mode & 0o777 == 0o600


def test_samples_go_after_their_days_and_roll_ups_stay_client_by_client(days, folder):
    days.write([Closing(client, 7, stretch([HOUR_MS], a=[1])) for client in (1, 2)])
    retention = Retention(Keep(samples_days=10), {2: Keep(samples_days=20)})

    early = days.sweep(DAY + 11 * DAY_MS - 1, retention)
    before = stored(folder, samples(client=1))
    days.sweep(DAY + 11 * DAY_MS, retention)

    assert early == 0
    assert before is not None
    assert stored(folder, samples(client=1)) is None
    assert stored(folder, samples(client=1)._replace(grain=Grain.ROLLUP)) is not None
    assert stored(folder, samples(client=2)) is not None


def test_a_file_goes_when_nothing_of_anybody_is_left_in_it(days, folder):
    days.write([Closing(client, 7, stretch([HOUR_MS], a=[1])) for client in (1, 2)])
    keep = Keep(samples_days=10, rollup_days=20)

    gone = days.sweep(DAY + 21 * DAY_MS, Retention(keep, {3: Keep(rollup_days=400)}))

    assert gone == 1
    assert list(folder.iterdir()) == []


def test_space_of_samples_that_have_gone_is_given_back(days, folder):
    noise = np.random.default_rng(1).random(3000).tolist()
    days.write([Closing(1, 7, stretch(range(HOUR_MS, HOUR_MS + 3000), a=noise))])
    before = day_path(folder, DAY).stat().st_size

    days.sweep(DAY + 30 * DAY_MS, Retention())

    assert before > 24_000
    assert day_path(folder, DAY).stat().st_size < before - 16_000


def test_names_that_no_hour_has_any_longer_go_with_them(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])
    days.write([Closing(1, 7, stretch([HOUR_MS + 1], b=[1])), Closing(2, 7, stretch([HOUR_MS], c=[1]))])

    days.sweep(DAY + 30 * DAY_MS, Retention())

    assert execute(day_path(folder, DAY), "SELECT count(*) FROM entries") == [(2,)]


def test_what_comes_after_its_samples_have_gone_leaves_the_roll_up_alone(days, folder):
    days.write([Closing(1, 7, stretch([HOUR_MS], a=[1]))])
    days.sweep(DAY + 30 * DAY_MS, Retention())

    assert days.write([Closing(1, 7, stretch([HOUR_MS + 1], a=[2]))]) == 0
    assert stored(folder, samples()._replace(grain=Grain.ROLLUP))["a"] == as_bits(1)


def test_a_damaged_file_is_left_alone_until_all_of_its_time_is_past(days, folder):
    day_path(folder, DAY).write_bytes(b"no database at all" * 100)

    assert days.sweep(DAY + 100 * DAY_MS, Retention()) == 0
    assert days.sweep(DAY + 398 * DAY_MS, Retention()) == 1


def test_other_files_of_the_folder_are_not_days(days, folder):
    for name in ("2023-13-45.db", "notes.db", "2023-11-14.db-wal"):
        (folder / name).touch()

    assert day_paths(folder) == []


def test_history_is_kept_for_as_long_as_data_may_be_late():
    with pytest.raises(ValueError, match="5 days at least"):
        Keep(samples_days=4)
