import json
import os
import stat

import pytest
from nacl.signing import SigningKey, VerifyKey

from tocsin_agent import identity as identity_module
from tocsin_agent.errors import NotEnrolled, Occupied, Untrusted, Unusable
from tocsin_agent.identity import Identity, load, new_seed, public_key, save, sign, verify
from tocsin_agent.state import StateLock, default_state

ATLAS = Identity("agent-1", "atlas", "acme", "berlin", "https://ops.example", "ab" * 32, "cd" * 32, b"\1" * 32)


def test_an_identity_is_read_back_as_it_was_written_and_only_its_owner_can(tmp_path):
    save(ATLAS, str(tmp_path))

    assert load(str(tmp_path)) == ATLAS
    assert stat.S_IMODE((tmp_path / "identity.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]


def test_what_a_crash_left_of_a_former_attempt_is_no_hindrance(tmp_path):
    (tmp_path / "identity.json.new").write_text("half of")

    save(ATLAS, str(tmp_path))

    assert load(str(tmp_path)) == ATLAS


def test_a_write_that_fails_leaves_the_old_identity(tmp_path, monkeypatch):
    save(ATLAS, str(tmp_path))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        save(ATLAS._replace(host="other"), str(tmp_path))

    assert load(str(tmp_path)) == ATLAS


def test_the_private_key_is_not_in_what_is_printed():
    assert "seed=…" in repr(ATLAS)
    assert (b"\1" * 32).hex() not in repr(ATLAS)
    assert "\\x01" not in f"{ATLAS}"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"agent": 5}', json.dumps({**ATLAS._asdict(), "seed": "xyz"}), '{"seed": "00"}'],
)
def test_a_damaged_identity_is_said_with_the_remedy(tmp_path, text):
    (tmp_path / "identity.json").write_text(text)

    with pytest.raises(NotEnrolled, match=r"identity\.json is damaged: enrol again with --force"):
        load(str(tmp_path))


def test_no_identity_is_said_with_the_remedy(tmp_path):
    with pytest.raises(NotEnrolled, match="enrol this host with `tocsin-agent enrol TOKEN`"):
        load(str(tmp_path))


def test_an_identity_that_others_can_read_is_said_and_used(tmp_path, capfd):
    save(ATLAS, str(tmp_path))
    (tmp_path / "identity.json").chmod(0o644)

    assert load(str(tmp_path)) == ATLAS
    assert "chmod 600" in capfd.readouterr().err


def test_signatures_are_ed25519s():
    seed = new_seed()

    VerifyKey(public_key(seed)).verify(b"word", bytes.fromhex(sign(seed, b"word")))

    server = SigningKey.generate()
    verify(server.verify_key.encode().hex(), b"word", server.sign(b"word").signature.hex())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key, message, signature: (key, message + b"!", signature),
        lambda key, message, signature: (key, message, "00" * 64),
        lambda key, message, signature: (key, message, signature[:-2]),
        lambda key, message, signature: (key, message, ""),
        lambda key, message, signature: (key, message, "no hex"),
        lambda key, message, signature: ("ab" * 32, message, signature),
    ],
)
def test_any_change_is_untrusted(spoil):
    server = SigningKey.generate()
    said = server.verify_key.encode().hex(), b"word", server.sign(b"word").signature.hex()

    with pytest.raises(Untrusted):
        verify(*spoil(*said))


def test_one_agent_at_a_time_works_on_a_state_folder(tmp_path):
    state = str(tmp_path / "new" / "state")
    said = f"{state} is in use by process {os.getpid()}: end that agent"
    with StateLock(state), pytest.raises(Occupied, match=said):
        StateLock(state).__enter__()

    with StateLock(state):
        assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700


def test_a_state_folder_that_cannot_be_made_is_said_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Unusable, match="choose another with --state"):
        StateLock(str(tmp_path / "file" / "state")).__enter__()


def test_the_default_state_folder_is_the_systems_for_root_and_the_users_own_else():
    assert default_state({}, is_root=True) == "/var/lib/tocsin-agent"
    assert (
        default_state({"XDG_STATE_HOME": "/home/alice/state"}, is_root=False)
        == "/home/alice/state/tocsin-agent"
    )
    assert default_state({"HOME": "/home/alice"}, is_root=False).endswith("/.local/state/tocsin-agent")


def test_the_folder_is_synced_after_the_rename(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(identity_module, "make_durable", synced.append)

    save(ATLAS, str(tmp_path))

    assert synced == [str(tmp_path)]
