"""The server's settings are read strictly, and a mistake is named with its remedy."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from tocsin_server.config import ClientHistory, ServerConfig, find_config, read_config
from tocsin_server.errors import Misconfigured

SHIPPED = Path(__file__).parents[2] / "config" / "server.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "server.toml"
    path.write_text(text)
    return path


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "")) == ServerConfig()


def test_a_misspelt_key_is_named_with_the_key_that_was_meant(tmp_path: Path) -> None:
    path = write(tmp_path, "prot = 9000\n")

    with pytest.raises(Misconfigured, match=r"server\.toml: .*`prot`.*did you mean 'port'"):
        read_config(path)


def test_a_wrong_type_is_named_with_its_key(tmp_path: Path) -> None:
    path = write(tmp_path, 'port = "nine"\n')

    with pytest.raises(Misconfigured, match=r"\$\.port"):
        read_config(path)


def test_a_client_may_have_agreed_how_long_its_history_is_kept(tmp_path: Path) -> None:
    settings = read_config(write(tmp_path, "[client_history.acme]\nsamples_days = 90\n"))

    assert settings.client_history == {"acme": ClientHistory(samples_days=90)}


@pytest.mark.parametrize(
    "text", ["samples_days = 4", "rollup_days = 0", "[client_history.acme]\nsamples_days = 1"]
)
def test_history_is_not_deleted_before_late_data_can_have_come(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match=r"server\.toml: .*5 days at least"):
        read_config(write(tmp_path, text))


def test_what_is_not_toml_is_said_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "port = \n")

    with pytest.raises(Misconfigured, match="line 1"):
        read_config(path)


def test_an_absent_file_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.toml cannot be read"):
        read_config(tmp_path / "absent.toml")


def test_a_given_folder_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()

    assert find_config("rules", tmp_path) == tmp_path / "rules"
    assert find_config("rules") != tmp_path / "rules"


def test_the_shipped_rules_are_found_without_any_flag() -> None:
    rules = find_config("rules")

    assert rules is not None
    assert (rules / "datacenter.yml").exists()


def test_the_shipped_settings_change_nothing_and_show_every_key_with_its_default() -> None:
    text = SHIPPED.read_text()
    shown = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)

    assert tomllib.loads(text) == {}
    assert tomllib.loads(shown) == msgspec.to_builtins(ServerConfig())
    assert list(tomllib.loads(shown)) == list(ServerConfig.__struct_fields__)


def test_each_shipped_setting_is_explained_in_the_line_above_it() -> None:
    lines = SHIPPED.read_text().splitlines()
    above = {line.split()[1]: lines[at - 1] for at, line in enumerate(lines) if re.match(r"# \w+ = ", line)}

    assert list(above) == list(ServerConfig.__struct_fields__)
    assert [key for key, said in above.items() if not re.fullmatch(r"# [A-Z].+", said)] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('host = "m"', r"mail\.from has to be the address"),
        ('host = "m"\nfrom = "a@b\\r\\nBcc: x@y"', r"mail\.from has to be the address"),
        ('host = "m"\nfrom = "a@b"\nport = 0', r"mail\.port is 0"),
        ('host = "m"\nfrom = "a@b"\nuser = "u"', r"mail\.user and mail\.password_file belong together"),
        ('host = "m"\nfrom = "a@b"\nsecurity = "none"\nuser = "u"\npassword_file = "p"', "for all to read"),
        ('host = "m"\nfrom = "a@b"\nsecurity = "ssl"', "security"),
        ('hots = "m"', "hots"),
    ],
)
def test_a_mail_server_that_could_not_be_used_or_trusted_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason):
        read_config(write(tmp_path, f"[mail]\n{text}\n"))


def test_a_mail_server_is_named_in_a_table_of_its_own(tmp_path: Path) -> None:
    settings = read_config(write(tmp_path, '[mail]\nhost = "m"\nfrom = "a@b"\n'))

    assert (settings.mail.host, settings.mail.sender, settings.mail.port) == ("m", "a@b", 587)
