"""The configuration is strict, and says file, key and remedy."""

from pathlib import Path

import pytest

from tocsin_tui.config import Settings, read_settings, read_token, wants_ansi, wants_ascii
from tocsin_tui.errors import BadConfig

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "console.toml"


def test_without_a_file_everything_has_a_default() -> None:
    assert Settings() == read_settings(None)


def test_the_shipped_file_is_valid_and_so_is_every_line_that_it_comments_out(tmp_path) -> None:
    lines = SHIPPED.read_text().splitlines()
    spoken = [line.removeprefix("# ") for line in lines if line.startswith(("# [", '# "')) or " = " in line]
    file = tmp_path / "console.toml"
    file.write_text("\n".join(spoken))

    assert Settings() == read_settings(SHIPPED)
    assert read_settings(file).keys["ticket.take"] == "c,f2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ulr = 'x'", "ulr"),
        ("theme = 'pink'", "theme"),
        ("bell = 3", "bell"),
        ("url = ", "console.toml"),
        ("\x00", "console.toml"),
    ],
)
def test_a_wrong_setting_is_said_with_its_file(text: str, said: str, tmp_path) -> None:
    file = tmp_path / "console.toml"
    file.write_text(text)

    with pytest.raises(BadConfig, match=said) as caught:
        read_settings(file)
    assert str(file) in str(caught.value)


def test_a_named_file_that_is_not_there_is_said(tmp_path) -> None:
    with pytest.raises(BadConfig, match="there is no file"):
        read_settings(tmp_path / "none.toml")


def test_a_token_is_read_without_its_newline(tmp_path) -> None:
    file = tmp_path / "session"
    file.write_text("toc_abc\n")

    assert read_token(file) == "toc_abc"


@pytest.mark.parametrize("content", ["", "\n", "two words", "caf\u00e9"])
def test_a_file_without_a_token_is_said(content: str, tmp_path) -> None:
    file = tmp_path / "session"
    file.write_text(content)

    with pytest.raises(BadConfig, match="holds no session token"):
        read_token(file)


@pytest.mark.parametrize(
    ("environ", "theme", "ansi"),
    [
        ({"COLORTERM": "truecolor"}, "auto", False),
        ({}, "auto", True),
        ({"COLORTERM": "truecolor", "SSH_CONNECTION": "10.0.0.1"}, "auto", True),  # half the bytes
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, "auto", True),  # Textual would paint it grey
        ({}, "tocsin", False),
        ({"COLORTERM": "truecolor"}, "ansi", True),
    ],
)
def test_the_terminals_own_colours_are_used_where_true_colour_is_not_sure(environ, theme, ansi) -> None:
    assert ansi is wants_ansi(Settings(theme=theme), environ)


@pytest.mark.parametrize(("encoding", "ascii_only"), [("utf-8", False), ("UTF8", False), ("ISO-8859-1", True)])
def test_a_terminal_without_utf_8_gets_ascii(encoding: str, *, ascii_only: bool) -> None:
    assert ascii_only is wants_ascii(Settings(), encoding)
