"""Strings that attack a terminal, a layout or a markup parser; each has been seen to work somewhere."""

HOSTILE = [
    "\x1b]52;c;cm0gLXJmIC8=\x07",  # writes the clipboard
    "\x1b]0;owned\x07",  # renames the window
    "\x1b[2J\x1b[H\x1b[31mroot#",  # clears the screen and draws another
    "\x9b2J\x90q\x9c",  # the same in C1
    "\x1bP+q544e\x1b\\",  # asks the terminal for its capabilities, which it types
    "atlas\r\nacme",
    "exe\u202egpj.tob",  # right to left
    "\u2066\u2069\u200b\u200d\ufeff",
    "[/b]",  # crashes a naive markup parser
    "[@click=app.quit]OK[/]",  # becomes a live action in one
    "[red]not red[/red]",
    "[link=https://evil.example]x[/link]",
    "{markup} $variable %s",
    "田中🔥\U0001f469\U0001f3fd\u200d\U0001f4bb é",
    "Z\u0351\u036f\u0343a\u0361\u034el\u0321go",
    "\U000e0041\U000e0042",  # tags: invisible letters
    "x" * 5_000,
]
