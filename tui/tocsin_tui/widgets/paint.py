"""From tones to colours, from spans to segments: the only place that knows how a meaning looks.

Sixteen ANSI colours carry everything. On a terminal with true colour they are drawn from `PALETTE`; over SSH,
or where nobody promises true colour, they are the user's own, at half the bytes. Under `NO_COLOR` what
remains is bold, dim, underline and reverse, and the glyphs. A terminal without UTF-8 gets ASCII.
"""

import re
from collections.abc import Iterable

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from tocsin_tui.format import Line, Span, Tone, joined

PALETTE = TerminalTheme(
    (15, 20, 25),
    (204, 212, 220),
    [
        (21, 27, 34),
        (255, 107, 107),
        (120, 196, 134),
        (240, 190, 90),
        (110, 168, 254),
        (206, 147, 224),
        (96, 200, 210),
        (204, 212, 220),
    ],
    [
        (98, 112, 128),
        (255, 140, 140),
        (150, 220, 160),
        (255, 214, 130),
        (145, 190, 255),
        (225, 175, 240),
        (130, 225, 235),
        (240, 245, 250),
    ],
)
"""The sixteen colours on a dark ground; each has a contrast of at least 4.5 on it, but for the border grey."""

TONES: dict[Tone, Style] = {
    Tone.PLAIN: Style(),
    Tone.DIM: Style(dim=True),
    Tone.STRONG: Style(bold=True),
    Tone.TITLE: Style(bold=True, color="cyan"),
    Tone.KEY: Style(bold=True, color="yellow"),
    Tone.GOOD: Style(color="green"),
    Tone.WARN: Style(color="yellow"),
    Tone.BAD: Style(color="red"),
    Tone.URGENT: Style(bold=True, color="red"),
    Tone.UNKNOWN: Style(color="magenta"),
    Tone.MINE: Style(bold=True, color="cyan"),
    Tone.UNOWNED: Style(underline=True),
    Tone.FRESH: Style(bold=True, color="cyan"),
}

CURSOR = Style(bgcolor="#24405c")
"""The cursor's row on a palette of ours; the colours of its words stay."""
REVERSE = Style(reverse=True)
"""The cursor's row on a palette that we do not know: all of it turned around, in one piece."""

_ASCII = str.maketrans(
    {
        "▲": "!", "·": "-", "●": "*", "◌": "o", "■": "#", "○": "?", "▪": "@", "…": "~", "×": "x", "✓": "+",
        "◆": "*", "│": "|", "─": "-", "┤": "|", "└": "`", "┈": ".", "█": "#", "░": ".", "›": ">", "–": "-",
        "↑": "^", "↓": "v", "▼": "v", "⧗": "~", "\u2800": " ",
    }
    | {chr(0x2800 + bits): "*" for bits in range(1, 256)}
)  # fmt: skip
_WORDS = re.compile(r"\s+|[^\s,|{(]*[,|{(]+|[^\s,|{(]+")
"""Where a line may break: at spaces, and after what an expression opens or lists."""


class Painter:
    """How this terminal is painted."""

    def __init__(self, *, ascii_only: bool, own_palette: bool) -> None:
        self._ascii_only = ascii_only
        self._own_palette = own_palette

    def segments(self, spans: Iterable[Span], base: Style) -> list[Segment]:
        """Spans as what Textual draws."""
        return [Segment(self.text(text), base + TONES[tone]) for text, tone in spans]

    def under_cursor(self, spans: Iterable[Span], base: Style) -> list[Segment]:
        """The same for the row that the cursor is on."""
        if self._own_palette:
            lit = base + CURSOR
            bold = Style(bold=True, dim=False)
            return [Segment(self.text(text), lit + TONES[tone] + bold) for text, tone in spans]
        return [Segment(self.text(text), base + REVERSE) for text, _ in spans]

    def text(self, text: str) -> str:
        """A text in the characters that the terminal has."""
        if not self._ascii_only or text.isascii():
            return text
        return text.translate(_ASCII).encode("ascii", "replace").decode()


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly so many cells, the cut shown."""
    room = width - cell_len(text)
    if room < 0:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * room + text if right else text + " " * room


def wrapped(line: Line, width: int) -> list[Line]:
    """A line in as many as it takes, broken between words, each after the first indented by `hang`."""
    if sum(cell_len(text) for text, _ in line.spans) <= width:
        return [line]
    if not line.wraps:
        return [_cut(line, width)] if line.cut else [line]
    hang = min(line.hang, width // 2)
    rows: list[list[Span]] = [[]]
    room = width
    for word, tone in _pieces(line, width - hang):
        length = cell_len(word)
        if length > room and rows[-1]:
            rows.append([(" " * hang, Tone.PLAIN)])
            room = width - hang
            if word.isspace():
                continue
        rows[-1].append((word, tone))
        room -= length
    return [Line(joined(row)) for row in rows]


def _cut(line: Line, width: int) -> Line:
    """The beginning of a line that is longer than the width."""
    room = width - cell_len(line.cut)
    kept: list[Span] = []
    for text, tone in line.spans:
        if cell_len(text) > room:
            kept += [(set_cell_size(text, max(0, room)), tone), (line.cut, Tone.DIM)]
            break
        kept.append((text, tone))
        room -= cell_len(text)
    return Line(tuple(kept), wraps=False)


def _pieces(line: Line, width: int) -> Iterable[Span]:
    """Words and the spaces between them; a word that is longer than the width in several."""
    for text, tone in line.spans:
        for word in _WORDS.findall(text):
            for piece in chop_cells(word, max(1, width)) if cell_len(word) > width else [word]:
                yield piece, tone
