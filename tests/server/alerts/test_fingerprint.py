"""Fingerprints are Prometheus's own, so an alert has one name everywhere."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_server.alerts.fingerprint import fingerprint

LABELS = st.dictionaries(st.text(min_size=1), st.text())


def test_no_labels_have_the_offset_basis_of_fnv():
    assert fingerprint({}) == "cbf29ce484222325"


def test_a_label_is_hashed_with_a_separator_behind_name_and_value():
    expected = 0xCBF29CE484222325
    for byte in b"instance\xffatlas\xffjob\xffnode\xff":
        expected = (expected ^ byte) * 0x100000001B3 % (1 << 64)

    assert f"{expected:016x}" == fingerprint({"job": "node", "instance": "atlas"})


@given(LABELS, st.randoms())
@settings(max_examples=share(30))
def test_the_order_of_labels_does_not_matter(labels, random):
    shuffled = list(labels.items())
    random.shuffle(shuffled)

    assert fingerprint(labels) == fingerprint(dict(shuffled))


@given(LABELS, LABELS)
@settings(max_examples=share(30))
def test_other_labels_have_another_fingerprint(left, right):
    assert (left == right) == (fingerprint(left) == fingerprint(right))
