"""Every form of the console has room for what stands before its fields."""

import pytest

from tocsin_tui.screens import forms, silence
from tocsin_tui.screens.form import Form

ROOM = 8
"""As `tocsin.tcss` gives it, but for the space behind it."""
FORMS = [
    kind
    for module in (forms, silence)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Form) and kind is not Form
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_words_before_fields_are_not_cut(form: type[Form]) -> None:
    assert not [word for word in form.FIELDS.values() if len(word) > ROOM]
