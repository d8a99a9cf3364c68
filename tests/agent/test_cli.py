"""The command: what it prints, and that each refusal names the thing and the remedy."""

import os
from importlib.metadata import version

import pytest
from nacl.signing import SigningKey
from prometheus_client.parser import text_string_to_metric_families
from tests.agent.scripted import ScriptedServer

from tocsin_agent.cli import main
from tocsin_agent.identity import load
from tocsin_agent.state import StateLock
from tocsin_agent.version import VERSION
from tocsin_protocol import wire


def test_the_version_is_the_distributions(capsys):
    assert main(["--version"]) == 0

    assert capsys.readouterr().out == f"tocsin-agent {version('tocsin')}\n"
    assert version("tocsin") == VERSION


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"]])
def test_help_has_examples(capsys, words):
    assert main(words) == 0

    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which command? There are: enrol, run, once, check-config"),
        (["rnu"], "there is no command 'rnu': did you mean run?"),
        (["run", "--stat", "x"], "run has no option --stat: did you mean --state?"),
        (["run", "--state"], "--state needs a value"),
        (["run", "now"], "run does not know what to do with 'now'"),
        (["enrol"], "enrol needs TOKEN"),
        (["once", "--force"], "once has no option --force"),
    ],
)
def test_a_command_line_that_is_wrong_is_said_with_the_word(capsys, words, message):
    assert main(words) == 2

    assert message in capsys.readouterr().err


def test_once_prints_this_hosts_readings_as_prometheus_reads_them(capsys):
    assert main(["once"]) == 0

    families = {family.name: family for family in text_string_to_metric_families(capsys.readouterr().out)}
    assert families["node_memory_MemTotal_bytes"].type == "gauge"
    assert families["node_cpu_seconds"].type == "counter"
    assert families["tocsin_agent_info"].samples[0].labels == {"version": VERSION}


def test_check_config_prints_what_holds(capsys, tmp_path):
    (tmp_path / "agent.toml").write_text('spool_mib = 8\ndisabled_collectors = ["timex"]\n')

    assert main(["check-config", "--config", str(tmp_path / "agent.toml"), "--state=/srv/x"]) == 0

    title, *keys = capsys.readouterr().out.splitlines()
    assert title == f"# {tmp_path}/agent.toml is right"
    assert {'state = "/srv/x"', "spool_mib = 8", 'disabled_collectors = ["timex"]'} <= set(keys)


def test_check_config_fails_for_a_wrong_file(capsys, tmp_path):
    (tmp_path / "agent.toml").write_text("spool_mb = 8\n")

    assert main(["check-config", "--config", str(tmp_path / "agent.toml")]) == 1

    assert "did you mean 'spool_mib'?" in capsys.readouterr().err


def test_enrolling_writes_an_identity_that_the_server_knows(server: ScriptedServer, tmp_path, capsys):
    assert main(["enrol", server.invitation(), "--name", "atlas", "--state", str(tmp_path / "state")]) == 0

    identity = load(str(tmp_path / "state"))
    assert identity[:4] == ("agent-1", "atlas", "acme", "berlin")
    (said,) = server.enrolments
    assert (said["token"], said["name"], said["version"], said["v"]) == ("word", "atlas", VERSION, wire.VERSION)
    assert SigningKey(identity.seed).verify_key.encode() == said["key"]
    assert said["os"]
    assert capsys.readouterr().out == f"enrolled atlas with {server.url} (client acme, site berlin)\n"


def test_a_host_enrols_under_its_own_name_where_none_is_given(tls_server: ScriptedServer, tmp_path):
    assert main(["enrol", tls_server.invitation(), "--state", str(tmp_path / "state")]) == 0

    assert tls_server.enrolments[0]["name"] == os.uname().nodename


def test_an_identity_is_only_replaced_by_force(server: ScriptedServer, tmp_path, capsys):
    state = str(tmp_path)
    main(["enrol", server.invitation(), "--name", "atlas", "--state", state])

    assert main(["enrol", server.invitation(), "--name", "other", "--state", state]) == 1
    assert "identity.json exists: this host is enrolled already; --force" in capsys.readouterr().err
    assert len(server.enrolments) == 1
    assert main(["enrol", server.invitation(), "--name", "other", "--state", state, "--force"]) == 0

    assert load(state).host == "other"


def test_a_new_server_does_not_see_what_was_collected_for_the_old_one(server: ScriptedServer, tmp_path):
    state = str(tmp_path)
    main(["enrol", server.invitation(), "--state", state])
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "frames").write_text("x")
    main(["enrol", server.invitation(), "--state", state, "--force"])
    assert (tmp_path / "spool").exists()

    with ScriptedServer() as other:
        main(["enrol", other.invitation(), "--state", state, "--force"])

    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hello", "an enrolment token begins with 'toc_enr_'"),
        ("toc_enr_abc", "not complete: copy it again"),
        ("toc_enr_" + "A" * 40, "damaged: copy it again"),
        (wire.encode_invitation(wire.Invitation("https://x", "", "beef", "s")), "is another version's"),
        (
            wire.encode_invitation(wire.Invitation("http://ops.example", "", "cd" * 32, "s")),
            "plain HTTP, which is spoken to loopback only",
        ),
        (wire.encode_invitation(wire.Invitation("gopher://x", "", "cd" * 32, "s")), "is not https://NAME"),
    ],
)
def test_a_wrong_token_is_said_with_the_remedy(tmp_path, capsys, token, message):
    assert main(["enrol", token, "--state", str(tmp_path)]) == 1

    assert message in capsys.readouterr().err
    assert not (tmp_path / "identity.json").exists()


@pytest.mark.parametrize("status", [403, 409, 422, 429, 503])
def test_a_refusal_is_told_in_the_servers_own_words(server: ScriptedServer, tmp_path, capsys, status):
    server.enrol_script.append(status)

    assert main(["enrol", server.invitation(), "--name", "atlas", "--state", str(tmp_path)]) == 1

    said = capsys.readouterr().err
    assert f"{server.url} refuses to enrol 'atlas': this token was used already: create a new one" in said
    assert not (tmp_path / "identity.json").exists()


def test_a_server_that_cannot_be_reached_is_named(tmp_path, capsys):
    with ScriptedServer() as server:
        token = server.invitation()

    assert main(["enrol", token, "--state", str(tmp_path)]) == 1

    assert f"cannot enrol: no answer from {server.url}: Connection refused" in capsys.readouterr().err


def test_an_answer_that_another_server_signed_is_refused(server: ScriptedServer, tmp_path, capsys):
    server.signs_with = SigningKey.generate()

    assert main(["enrol", server.invitation(), "--state", str(tmp_path)]) == 1

    assert "not signed by the server of the enrolment token" in capsys.readouterr().err
    assert not (tmp_path / "identity.json").exists()


def test_a_token_with_another_fingerprint_sends_nothing(tls_server: ScriptedServer, tmp_path, capsys):
    token = tls_server.invitation(fingerprint="ab" * 32)

    assert main(["enrol", token, "--state", str(tmp_path)]) == 1

    assert "somebody is in between" in capsys.readouterr().err
    assert tls_server.bytes_seen == 0


def test_running_without_an_identity_says_how_to_get_one(tmp_path, capsys):
    assert main(["run", "--state", str(tmp_path)]) == 1

    assert "enrol this host with `tocsin-agent enrol TOKEN`" in capsys.readouterr().err


def test_a_second_agent_on_the_same_state_says_which_process_holds_it(server: ScriptedServer, tmp_path, capsys):
    main(["enrol", server.invitation(), "--state", str(tmp_path)])

    with StateLock(str(tmp_path)):
        assert main(["run", "--state", str(tmp_path)]) == 1

    assert f"is in use by process {os.getpid()}" in capsys.readouterr().err
