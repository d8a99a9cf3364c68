"""What runs on a client's host, and what a screen shows first, stay light: proved from sys.modules."""

import subprocess
import sys


def third_party(code: str) -> set[str]:
    """The packages outside the standard library that are loaded after `code` has run."""
    report = code + (
        "\nimport sys\nnames = {name.partition('.')[0] for name in sys.modules}"
        "\nprint(*sorted(n for n in names if n not in sys.stdlib_module_names and not n.startswith('__')))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", report], capture_output=True, text=True, check=True)
    return {
        name for name in done.stdout.split() if not name.startswith(("_distutils", "_virtualenv", "sitecustom"))
    }


def test_the_wire_contract_needs_the_standard_library_only() -> None:
    loaded = third_party("import tocsin_protocol.wire, tocsin_protocol.vocabulary")

    assert {name for name in loaded if not name.startswith("_editable")} == {"tocsin_protocol"}


def test_the_agent_needs_psutil_msgpack_and_pynacl_only() -> None:
    loaded = third_party("import tocsin_agent.cli, tocsin_agent.daemon, tocsin_agent.enrolment, ssl")

    # The others are parts of PyNaCl and of msgpack.
    allowed = {"tocsin_agent", "tocsin_protocol", "psutil", "msgpack", "nacl", "_cffi_backend", "_sodium"}
    assert {name for name in loaded if not name.startswith(("_editable", "_cython", "cython"))} == allowed


def test_what_the_console_knows_is_known_without_textual() -> None:
    loaded = third_party("import tocsin_tui.state, tocsin_tui.format")

    assert not loaded & {"textual", "rich"}
