"""YAML is read as Go reads it, and every mistake is told with its line."""

import pytest
import yaml

from tocsin_server import yaml_nodes
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, composed


def fields(text, known=("name", "rules", "labels")):
    return Fields(composed(text), known, what="a group")


def test_every_scalar_is_a_string():
    assert {"a": Text("true", 2), "b": Text("1", 3), "c": Text("", 4)} == fields(
        "labels:\n  a: true\n  b: 1\n  c: ~\n"
    ).texts("labels")


def test_a_field_that_is_absent_or_null_is_empty():
    group = fields("name:\nrules: null\n")

    assert Text("", 1) == group.text("name")
    assert group.items("rules") == ()
    assert group.texts("labels") == {}


def test_an_empty_document_is_nothing():
    assert composed("# only a comment\n") is None


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("nmae: x\n", 1, "a group has no field 'nmae'; did you mean 'name'"),
        ("zzz: x\n", 1, "a group has no field 'zzz'; there are name, rules, labels"),
        ("name: x\nname: y\n", 2, "'name' stands twice in a group"),
        ("- name: x\n", 1, "a group has to be a map of fields"),
        ("? [x]\n: y\n", 1, "a field's name has to be a single value"),
    ],
)
def test_a_map_with_a_mistake_is_refused_with_its_line(text, line, why):
    with pytest.raises(BadYaml) as refusal:
        fields(text)

    assert (line, why) == (refusal.value.line, refusal.value.reason)


@pytest.mark.parametrize(
    ("text", "ask", "why"),
    [
        ("name: ''\n", lambda group: group.wanted("name"), "a group needs 'name'"),
        ("name: [x]\n", lambda group: group.text("name"), "'name' of a group has to be a single value"),
        ("rules: x\n", lambda group: group.items("rules"), "'rules' of a group has to be a list"),
        ("labels: x\n", lambda group: group.texts("labels"), "'labels' of a group has to be a map of fields"),
        ("labels: {a: [b]}\n", lambda group: group.texts("labels"), "'a' in 'labels' has to be a single value"),
    ],
)
def test_a_field_of_another_kind_is_refused(text, ask, why):
    with pytest.raises(BadYaml, match="1: ") as refusal:
        ask(fields(text))

    assert why == refusal.value.reason


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\0", "a: 1\n---\nb: 2\n"])
def test_what_is_not_yaml_is_refused(text):
    with pytest.raises(BadYaml, match="not YAML"):
        composed(text)


def test_a_value_with_a_nul_is_refused():
    with pytest.raises(BadYaml, match="1: 'name' of a group holds a NUL"):
        fields('name: "a\\0b"\n').text("name")


@pytest.mark.parametrize("reader", ["CBaseLoader", "BaseLoader"])
def test_what_is_nested_without_end_is_refused_by_either_reader(reader, monkeypatch):
    monkeypatch.setattr(yaml_nodes, "_LOADER", getattr(yaml, reader, yaml.BaseLoader))

    with pytest.raises(BadYaml, match=r"nesting depth|recursion depth"):
        composed("[\n" * 5000 + "]" * 5000)
