"""Names and labels are read as they were written, or not at all."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.series.history.arrays import entry

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.history.entries import pack_entries, unpack_entries
from tocsin_server.series.history.errors import Damaged

texts = st.text(max_size=12)
all_labels = st.dictionaries(texts, texts, max_size=3)
series = st.lists(
    st.builds(
        lambda name, kind, said: entry(name, kind, **said), texts, st.sampled_from(SeriesKind), all_labels
    )
)


@given(series)
@settings(max_examples=share(60), deadline=None)
def test_what_is_packed_is_unpacked(series):
    assert unpack_entries(*pack_entries(series)) == tuple(series)


@given(series, st.data())
@settings(max_examples=share(60), deadline=None)
def test_bytes_that_are_changed_are_never_read_as_something_else(series, data):
    digest, content = pack_entries(series)
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        found = unpack_entries(digest, bytes(changed))
    except Damaged:
        return
    assert found == tuple(series)


def test_a_bomb_is_not_inflated():
    digest, _ = pack_entries([])

    with pytest.raises(Damaged, match="do not take the 10 bytes"):
        unpack_entries(digest, b"\x01\x0a\0\0\0" + zlib.compress(bytes(32 << 20), 1))


def test_nothing_at_all_is_refused():
    with pytest.raises(Damaged, match="no version"):
        unpack_entries(b"", b"")
