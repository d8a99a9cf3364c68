"""The disk that a power cut leaves: what was synced is there, what was not may be."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.disk import (
    SECTOR,
    Cut,
    Disk,
    Event,
    Fate,
    Image,
    Link,
    Make,
    Names,
    Remove,
    Rename,
    Sync,
    Write,
)

ANY = st.sampled_from(list(Names))


def after(names: Names, *events: Event) -> Disk:
    """A disk to which this was done; each sync covers all that stands before it."""
    disk = Disk(names)
    for number, event in enumerate(events):
        disk.apply(Sync(event.path, number) if isinstance(event, Sync) else event)
    return disk


def images(disk: Disk) -> list[Image]:
    """What may be left of it, in many draws."""
    return [disk.image(Random(seed)) for seed in range(100)]


def synced(path: str) -> Sync:
    return Sync(path, 0)


@pytest.mark.parametrize("names", Names)
def test_a_write_without_a_sync_may_vanish_and_may_stay(names: Names) -> None:
    disk = after(names, Make("a"), synced("a"), synced(""), Write("a", 0, b"hello"))

    assert {b"", b"hello"} <= {image["a"] for image in images(disk)}


@pytest.mark.parametrize("names", Names)
def test_a_write_that_was_synced_stays_whatever_comes_after_it(names: Names) -> None:
    disk = after(names, Make("a"), Write("a", 0, b"hello"), synced("a"), synced(""), Write("a", 5, b" world"))

    assert all((image["a"] or b"").startswith(b"hello") for image in images(disk))


def test_a_long_write_without_a_sync_may_be_torn_at_a_sector() -> None:
    whole = b"x" * SECTOR + b"y" * SECTOR
    disk = after(Names.JOURNALLED, Make("a"), synced("a"), Write("a", 0, whole))

    left = {image["a"] for image in images(disk)}

    assert {whole[:SECTOR], bytes(SECTOR) + whole[SECTOR:]} <= left


def test_a_write_that_began_to_be_after_the_sync_began_may_vanish() -> None:
    disk = Disk(Names.JOURNALLED)
    for event in (Make("a"), Write("a", 0, b"one"), Write("a", 3, b"two"), Sync("a", 2)):
        disk.apply(event)

    assert {b"one", b"onetwo"} <= {image["a"] for image in images(disk)}
    assert disk.image(Random(0), Fate.LOST) == {"a": b"one"}


@pytest.mark.parametrize("names", Names)
def test_a_cut_without_a_sync_may_not_have_been(names: Names) -> None:
    disk = after(names, Make("a"), Write("a", 0, b"hello"), synced("a"), synced(""), Cut("a", 2))

    assert {image["a"] for image in images(disk)} == {b"he", b"hello"}


def test_a_rename_before_a_sync_of_the_folder_may_not_have_been() -> None:
    was = [
        Make("a"),
        Write("a", 0, b"old"),
        Make("b"),
        Write("b", 0, b"new"),
        synced("a"),
        synced("b"),
        synced(""),
    ]

    disk = after(Names.LETTER, *was, Rename("b", "a"))

    assert disk.live() == {"a": b"new"}
    assert {image["a"] for image in images(disk)} == {b"old", b"new"}
    assert all("b" in image for image in images(disk) if image["a"] == b"old")


@pytest.mark.parametrize("names", Names)
def test_a_rename_before_a_sync_of_the_folder_stays(names: Names) -> None:
    disk = after(names, Make("b"), Write("b", 0, b"new"), synced("b"), Rename("b", "a"), synced(""))

    assert images(disk) == [{"a": b"new"}] * 100


@pytest.mark.parametrize("names", Names)
def test_a_file_that_was_removed_may_be_there_again(names: Names) -> None:
    disk = after(names, Make("a"), Write("a", 0, b"old"), synced("a"), synced(""), Remove("a"))

    assert {"a" in image for image in images(disk)} == {True, False}
    assert all(content == b"old" for image in images(disk) for content in image.values())


def test_the_name_of_a_synced_file_stays_as_file_systems_keep_it_but_not_by_the_letter() -> None:
    events = (Make("f", is_folder=True), Make("f/a"), Write("f/a", 0, b"hello"), synced("f/a"))

    assert images(after(Names.JOURNALLED, *events)) == [{"f": None, "f/a": b"hello"}] * 100
    assert {} in images(after(Names.LETTER, *events))


def test_a_folder_that_was_synced_may_be_lost_with_its_own_name_by_the_letter() -> None:
    events = (Make("f", is_folder=True), Make("f/a"), synced("f/a"), synced("f"))

    assert {"f" in image for image in images(after(Names.LETTER, *events))} == {True, False}
    assert all("f/a" in image for image in images(after(Names.LETTER, *events, synced(""))))


def test_a_second_name_is_the_same_file() -> None:
    disk = after(
        Names.LETTER, Make("a"), Link("a", "b"), Remove("a"), synced(""), Write("b", 0, b"x"), synced("b")
    )

    assert disk.live() == {"b": b"x"}
    assert images(disk) == [{"b": b"x"}] * 100


def test_what_was_there_at_the_beginning_is_durable() -> None:
    disk = Disk(Names.LETTER, {"f": None, "f/a": b"was"})

    assert images(disk) == [{"f": None, "f/a": b"was"}] * 100


def test_a_rename_into_another_folder_is_refused() -> None:
    disk = after(Names.LETTER, Make("f", is_folder=True), Make("a"))

    with pytest.raises(ValueError, match="not in one folder"):
        disk.apply(Rename("a", "f/a"))


@given(
    names=ANY,
    seed=st.integers(0, 1 << 32),
    writes=st.lists(
        st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=1500), st.booleans()), max_size=12
    ),
)
def test_no_byte_is_lost_that_was_synced_and_not_written_since(
    names: Names, seed: int, writes: list[tuple[int, bytes, bool]]
) -> None:
    disk = after(names, Make("a"), synced("a"), synced(""))
    count, told, dirty = 3, bytearray(), set[int]()

    for offset, content, is_synced in writes:
        disk.apply(Write("a", offset, content))
        count += 1
        dirty |= set(range(offset, offset + len(content)))
        if is_synced:
            disk.apply(Sync("a", count))
            count += 1
            told, dirty = bytearray(disk.live()["a"] or b""), set()

    left = disk.image(Random(seed))["a"] or b""
    assert len(left) >= len(told)
    assert all(left[place] == byte for place, byte in enumerate(told) if place not in dirty)
