"""Whose and where a host is, its agent cannot say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.schema import TARGET_LABELS, SeriesEntry, own_labels

PREFIXED = [
    prefix + name for name in sorted(TARGET_LABELS) for prefix in ("", "exported_", "exported_exported_")
]


def entry(labels: dict[str, str]) -> SeriesEntry:
    return SeriesEntry("load", SeriesKind.GAUGE, tuple(sorted(labels.items())))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, {}),
        ({"device": "sda"}, {"device": "sda"}),
        ({"client": "bolt"}, {"exported_client": "bolt"}),
        ({"exported_job": "x"}, {"exported_job": "x"}),
        # The name that it would get is taken: once more.
        ({"job": "a", "exported_job": "b"}, {"exported_exported_job": "a", "exported_job": "b"}),
        ({"__name__": "up"}, {}),  # a label cannot rename the metric
    ],
)
def test_target_labels_are_moved_aside(sent, kept) -> None:
    assert dict(own_labels(entry(sent))) == kept


@settings(max_examples=share(40))
@given(st.dictionaries(st.sampled_from([*PREFIXED, "device"]), st.text(max_size=3)))
def test_no_label_is_lost_and_none_is_the_targets(sent) -> None:
    kept = own_labels(entry(sent))

    assert sorted(value for _, value in kept) == sorted(sent.values())
    assert len({name for name, _ in kept}) == len(kept)
    assert not TARGET_LABELS & {name for name, _ in kept}
