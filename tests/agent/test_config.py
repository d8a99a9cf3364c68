"""The agent's settings are read strictly, and a mistake is named with its remedy."""

from pathlib import Path

import pytest

from tocsin_agent.collectors import default_collectors
from tocsin_agent.collectors.kernel import Roots
from tocsin_agent.config import AgentConfig, read_config
from tocsin_agent.errors import Misconfigured

SHIPPED = Path(__file__).parents[2] / "config" / "agent.toml"


def write(folder: Path, text: str) -> str:
    path = folder / "agent.toml"
    path.write_text(text)
    return str(path)


def test_the_shipped_example_says_the_defaults():
    assert read_config(str(SHIPPED)) == AgentConfig() == read_config(None)


def test_the_shipped_example_names_every_key():
    text = SHIPPED.read_text()

    assert [key for key in AgentConfig._fields if f"{key} = " not in text] == []


def test_every_key_is_taken(tmp_path):
    path = write(
        tmp_path,
        """
        state = "/srv/agent"
        socket = "/run/agent.sock"
        spool_mib = 8
        spool_hours = 2
        spool_min_free_mib = 0
        disabled_collectors = ["processes", "netdev"]
        mount_points_exclude = "^/mnt"
        disk_devices_exclude = "^dm-"
        network_devices_exclude = "^veth"
        """,
    )

    config = read_config(path)

    assert config == AgentConfig(
        state="/srv/agent",
        socket="/run/agent.sock",
        spool_mib=8,
        spool_hours=2,
        spool_min_free_mib=0,
        disabled_collectors=("processes", "netdev"),
        mount_points_exclude="^/mnt",
        disk_devices_exclude="^dm-",
        network_devices_exclude="^veth",
    )
    assert config.limits == (8 << 20, 7_200_000, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spool_mb = 5", r"agent\.toml: there is no key 'spool_mb' \(did you mean 'spool_mib'\?\)"),
        ("interval = 5", r"there is no key 'interval' \(there are: state, "),
        ("spool_mib = 0", r"'spool_mib' must be a whole number from 1 to 65536, got 0"),
        ("spool_mib = 2.5", r"'spool_mib' must be a whole number"),
        ("spool_mib = true", r"'spool_mib' must be a whole number"),
        ("spool_hours = 100", r"'spool_hours' must be a whole number from 1 to 72, got 100"),
        ('state = "here"', r"'state' must be an absolute path"),
        ("state = 5", r"'state' must be an absolute path"),
        ('disabled_collectors = "cpu"', r"'disabled_collectors' must be a list"),
        ('disabled_collectors = ["cpux"]', r"names no collector 'cpux' \(did you mean 'cpu'\?\)"),
        ('mount_points_exclude = "("', r"'mount_points_exclude' is not a regular expression"),
        ("mount_points_exclude = 5", r"'mount_points_exclude' must be a regular expression in quotes"),
        ("spool_mib = \n", r"agent\.toml is not TOML: .*line 1"),
        ("[spool]\nmib = 5", r"there is no key 'spool'"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_remedy(tmp_path, text, message):
    with pytest.raises(Misconfigured, match=message):
        read_config(write(tmp_path, text))


def test_a_file_that_is_not_there_is_said_with_its_path(tmp_path):
    with pytest.raises(Misconfigured, match=r"absent\.toml cannot be read \(No such file"):
        read_config(str(tmp_path / "absent.toml"))


def test_what_is_excluded_is_not_watched():
    config = AgentConfig(
        disabled_collectors=("cpu",),
        mount_points_exclude="^/$",
        disk_devices_exclude="^sda$",
        network_devices_exclude="^eth0$",
    )
    fixtures = Path(__file__).parent / "collectors" / "fixtures"
    roots = Roots(proc=str(fixtures / "proc"), sys=str(fixtures / "sys"), etc=str(fixtures / "etc"))

    everything = samples_of(default_collectors(roots))
    watched = samples_of(default_collectors(roots, excludes=config.excludes))

    gone = {(name, place_of(dict(labels))) for name, labels in everything - watched}
    assert ("node_filesystem_readonly", "/") in gone
    assert ("node_disk_io_now", "sda") in gone
    assert ("node_network_receive_bytes_total", "eth0") in gone
    assert "node_cpu_seconds_total" in {name for name, _ in gone}
    assert {place for _, place in gone} == {"/", "sda", "eth0", ""}


def place_of(labels):
    return labels.get("mountpoint") or labels.get("device", "")


def samples_of(collectors):
    wanted = {"cpu", "filesystem", "diskstats", "netdev"}
    return {
        (sample.name, sample.labels)
        for collector in collectors
        if collector.name in wanted
        for sample in collector.collect()
    }
