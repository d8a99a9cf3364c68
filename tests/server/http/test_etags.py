"""Entity tags: what a header says, and which acts are done under it."""

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.databases import ON_BOTH
from tests.examples import EXAMPLES
from tests.server.http.test_tickets import TICKETS, opened

from tocsin_server.errors import Refused, Unprocessable
from tocsin_server.http.etags import Tag, Tags, etag, read_tags, wanted_version

LETTERS = [chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]
OPAQUE = st.text(st.sampled_from(LETTERS), max_size=12)
TAG = st.builds(Tag, OPAQUE, is_weak=st.booleans())
GAP = st.sampled_from([",", ", ", " ,", "\t,\t", ",,", " , ,"])


def spelled(tag: Tag) -> str:
    return f'{"W/" if tag.is_weak else ""}"{tag.opaque}"'


@settings(max_examples=EXAMPLES)
@given(tags=st.lists(TAG, min_size=1, max_size=5), data=st.data())
def test_any_list_of_tags_is_read_as_it_was_written(tags: list[Tag], data: st.DataObject) -> None:
    text = spelled(tags[0])
    for tag in tags[1:]:
        text += data.draw(GAP) + spelled(tag)
    cut = data.draw(st.integers(0, len(tags) - 1))
    lines = [", ".join(map(spelled, part)) for part in (tags[:cut], tags[cut:]) if part]

    assert read_tags("If-Match", [text]) == read_tags("If-Match", lines) == Tags(tuple(tags))


@settings(max_examples=EXAMPLES)
@given(text=st.text(st.characters(max_codepoint=0xFF), max_size=30) | st.text('W/"v1,* ', max_size=12))
def test_whatever_a_header_says_it_is_read_or_refused(text: str) -> None:
    try:
        read = read_tags("If-Match", [text])
    except Refused:
        return
    assert read is not None
    assert read.any or all(tag.opaque in text for tag in read.tags)


@pytest.mark.parametrize(
    "text", ["", " ", ",", "v7", '"v7', 'w/"v7"', '"v7""v8"', '"v7" "v8"', "*, *", '*, "v7"', '"a b"']
)
def test_what_is_no_list_of_tags_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no list of entity tags"):
        read_tags("If-Match", [text])


def test_nothing_is_asked_where_there_is_no_header() -> None:
    assert read_tags("If-Match", []) is None


@settings(max_examples=EXAMPLES)
@given(version=st.integers(1, 10**18 - 1))
def test_a_tickets_own_tag_names_its_version(version: int) -> None:
    tags = read_tags("If-Match", [etag(version)])

    assert tags is not None
    assert wanted_version(tags, None) == wanted_version(tags, version) == {version}


@pytest.mark.parametrize(
    ("header", "version", "wanted"),
    [
        (None, None, None),
        (None, 7, {7}),
        ("*", None, None),
        ("*", 7, {7}),
        ('"v7", "v8"', None, {7, 8}),
        ('"v7", "v8"', 8, {8}),
        ('W/"v7"', None, set()),
        ('"v07", "v0", "v", "7", "V7", "v1234567890123456789"', None, set()),
    ],
)
def test_which_versions_an_act_may_be_done_on(header: str | None, version: int | None, wanted: Any) -> None:
    condition = read_tags("If-Match", [] if header is None else [header])

    assert wanted_version(condition, version) == wanted


@pytest.mark.parametrize("header", ['"v7"', 'W/"v8"'])
def test_header_and_body_do_not_name_different_versions(header: str) -> None:
    with pytest.raises(Unprocessable, match="version 8"):
        wanted_version(read_tags("If-Match", [header]), 8)


@ON_BOTH
async def test_a_ticket_is_not_told_again_to_who_knows_it(alice: httpx.AsyncClient) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}"
    first = await alice.get(path)

    same = [
        await alice.get(path, headers={"if-none-match": tag}) for tag in ('"v1"', 'W/"v1"', '"v9", "v1"', "*")
    ]
    other = await alice.get(path, headers={"if-none-match": '"v2"'})
    await alice.post(f"{path}/comment", json={"text": "it rings"})
    changed = await alice.get(path, headers={"if-none-match": first.headers["etag"]})

    assert first.headers["etag"] == '"v1"'
    assert {(answer.status_code, answer.content, answer.headers["etag"]) for answer in same} == {
        (304, b"", '"v1"')
    }
    assert other.json() == first.json()
    assert (changed.status_code, changed.headers["etag"]) == (200, '"v2"')


@ON_BOTH
async def test_an_act_is_done_on_the_version_that_if_match_names(alice: httpx.AsyncClient) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}"

    done = [
        await alice.post(f"{path}/comment", json={"text": "one"}, headers={"if-match": '"v1"'}),
        await alice.post(f"{path}/comment", json={"text": "two"}, headers={"if-match": 'W/"v9", "v2"'}),
        await alice.post(f"{path}/comment", json={"text": "three", "version": 3}, headers={"if-match": "*"}),
    ]

    assert [answer.json()["ticket"]["version"] for answer in done] == [2, 3, 4]


@pytest.mark.parametrize(
    ("tag", "body", "status", "detail"),
    [
        ('"v1"', {}, 412, "has changed since version 1: commented by alice"),
        ('"v1", "v9"', {}, 412, "has changed since version 1: commented by alice"),
        ('W/"v2"', {}, 412, "none of the tags is a version of ticket"),
        ('"v2"', {"version": 1}, 422, "the body is about version 1"),
        ("v2", {}, 400, "no list of entity tags"),
    ],
)
@ON_BOTH
async def test_an_act_whose_condition_does_not_hold_is_not_done(
    alice: httpx.AsyncClient, tag: str, body: dict[str, Any], status: int, detail: str
) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}"
    await alice.post(f"{path}/comment", json={"text": "first"})

    answer = await alice.post(f"{path}/take", json=body, headers={"if-match": tag})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]
    assert (await alice.get(path)).json()["ticket"]["version"] == 2
