"""Files of devices: read whole and strictly, or refused with file, line, device and remedy."""

from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.devices import (
    Device,
    DeviceFileErrors,
    Probe,
    SiteProbes,
    load_device_files,
    packed,
)
from tocsin_server.estate.options import OPTIONS

SEALED = "sealed:" + urlsafe_b64encode(bytes(60)).decode().rstrip("=")
HOST_KEY = "ssh-ed25519 " + b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
KEYS = f'auth: sha256, auth_key: "{SEALED}", priv: aes128, priv_key: "{SEALED}"'
LOGIN = f'address: db-1, user: probe, command: id, password: "{SEALED}"'
HEAD = "client: acme\nsite: berlin\nagent: atlas\n"
FULL = f"""\
{HEAD}devices:
  - name: switch-1
    kind: network
    every: 1m
    parents: [router-1, Atlas]
    probes:
      - snmp: {{address: 192.0.2.10, community: "{SEALED}"}}
      - icmp: {{address: 192.0.2.10, count: 3, timeout_s: 1.5}}
  - name: shop
    kind: application
    probes:
      - http: {{url: "https://shop.example.org/", name: front, expect_status: [200, 301], tls_verify: no}}
      - http: {{url: "https://shop.example.org/health", name: health, expect_status: 204}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def load(folder: Path, text: str, name: str = "acme.yml") -> tuple[SiteProbes, ...]:
    (folder / name).write_text(text)
    return load_device_files(folder)


def refused(folder: Path, text: str) -> str:
    """What is said of the one thing that is wrong, less the file's folder."""
    with pytest.raises(DeviceFileErrors) as refusal:
        load(folder, text)
    (error,) = refusal.value.errors
    return str(error).removeprefix(f"{folder}/")


def with_probe(probe: str, every: str = "30s") -> str:
    return f"{HEAD}devices:\n- name: switch-1\n  kind: network\n  every: {every}\n  probes: [{probe}]\n"


def test_a_file_is_read_with_defaults_and_types(folder: Path) -> None:
    (site,) = load(folder, FULL)

    assert (site.client, site.site, site.agent) == ("acme", "berlin", "atlas")
    assert site.devices == (
        Device(
            name="switch-1",
            kind=HostKind.NETWORK,
            every_s=60,
            parents=("router-1", "Atlas"),
            probes=(
                Probe("snmp", "snmp", {"address": "192.0.2.10", "community": SEALED, "timeout_s": 5}),
                Probe("icmp", "icmp", {"address": "192.0.2.10", "count": 3, "timeout_s": 1.5}),
            ),
        ),
        Device(
            name="shop",
            kind=HostKind.APPLICATION,
            every_s=30,
            parents=(),
            probes=(
                Probe(
                    "http",
                    "front",
                    {
                        "url": "https://shop.example.org/",
                        "expect_status": (200, 301),
                        "tls_verify": False,
                        "timeout_s": 5,
                    },
                ),
                Probe(
                    "http",
                    "health",
                    {"url": "https://shop.example.org/health", "expect_status": (204,), "timeout_s": 5},
                ),
            ),
        ),
    )


def test_an_empty_folder_and_a_file_of_comments_declare_nothing(folder: Path) -> None:
    assert load_device_files(folder) == ()
    assert load(folder, "# nothing yet\n") == ()
    assert load(folder, HEAD)[0].devices == ()


@pytest.mark.parametrize(
    "probe",
    [
        f'snmp: {{address: "2001:db8::1", version: 3, user: tocsin, {KEYS}, port: 1161, max_interfaces: 64}}',
        "snmp: {address: sw.example.org, version: 3, user: tocsin}",
        "tls: {address: shop.example.org, port: 8443, server_name: shop}",
        f'ssh: {{address: a, user: u, private_key: "{SEALED}", host_key: "{HOST_KEY}", command: "cat n"}}',
        f'ssh: {{{LOGIN}, host_key: "{HOST_KEY} root@db-1"}}',
        'http: {url: "http://[2001:db8::1]:8080/a?b=c", method: HEAD}',
    ],
    ids=range(6),
)
def test_every_kind_of_probe_can_be_declared(folder: Path, probe: str) -> None:
    (site,) = load(folder, with_probe(f"{{{probe}}}"))

    assert site.devices[0].probes[0].kind == probe.partition(":")[0]


def test_a_host_key_is_its_type_and_its_bytes(folder: Path) -> None:
    probe = (
        f'{{ssh: {{address: db, user: u, password: "{SEALED}", host_key: "{HOST_KEY} root@db", command: id}}}}'
    )

    (site,) = load(folder, with_probe(probe))

    assert site.devices[0].probes[0].options["host_key"] == HOST_KEY


def test_a_probe_of_a_device_that_is_looked_at_often_has_less_time(folder: Path) -> None:
    (site,) = load(folder, with_probe("{icmp: {address: a}}", every="5s"))

    assert site.devices[0].probes[0].options["timeout_s"] == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # the file
        ("]", "acme.yml:1: not YAML"),
        ("- x\n", "acme.yml:1: a file of devices has to be a map of fields"),
        (
            f"{HEAD}devcies: []\n",
            "acme.yml:4: a file of devices has no field 'devcies'; did you mean 'devices'",
        ),
        ("client: acme\nclient: acme\n", "acme.yml:2: 'client' stands twice in a file of devices"),
        ("client: acme\nsite: berlin\n", "acme.yml:1: a file of devices needs 'agent'"),
        (f"{HEAD}devices: x\n", "acme.yml:4: 'devices' of a file of devices has to be a list"),
        # a device
        (f"{HEAD}devices: [x]\n", "acme.yml:4: a device has to be a map of fields"),
        (
            f"{HEAD}devices: [{{name: Switch}}]\n",
            "acme.yml:4: 'Switch' is no name here: use 1 to 63 lower-case",
        ),
        (
            f"{HEAD}devices:\n- name: a\n  kind: switch\n  probes: [{{icmp: {{address: a}}}}]\n",
            "acme.yml:6, device 'a': 'kind' has to be one of server, desktop, network, application, not",
        ),
        (
            f"{HEAD}devices: [{{name: a, kind: network}}]\n",
            "acme.yml:4, device 'a': a device needs 'probes', a list of 1 to 16, and has 0",
        ),
        (
            f"{HEAD}devices: [{{name: a, knid: network}}]\n",
            "acme.yml:4: a device has no field 'knid'; did you mean 'kind'",
        ),
        (
            f"{HEAD}devices: [{{name: a, kind: network, parents: [A], probes: [{{icmp: {{address: a}}}}]}}]\n",
            "acme.yml:4, device 'a': 'a' cannot be its own parent: leave it out of 'parents'",
        ),
        (with_probe("{icmp: {address: a}}", "4s"), "'every' has to be 5s to 10m, such as 30s, not '4s'"),
        (with_probe("{icmp: {address: a}}", "11m"), "'every' has to be 5s to 10m, such as 30s, not '11m'"),
        (with_probe("{icmp: {address: a}}", "30"), "'every' has to be 5s to 10m, such as 30s, not '30'"),
        (
            with_probe("{icmp: {address: a}}, {icmp: {address: b}}"),
            "two probes are called 'icmp': give one of them another 'name'",
        ),
        # a probe
        (with_probe("ping"), "a probe is one kind with its options"),
        (with_probe("{icmp: {address: a}, tls: {address: a}}"), "a probe is one kind with its options"),
        (with_probe("{imcp: {address: a}}"), "a probe has no field 'imcp'; did you mean 'icmp'"),
        (with_probe("{icmp: }"), "the probe icmp has no options"),
        (with_probe("{icmp: {adress: a}}"), "a probe icmp has no field 'adress'; did you mean 'address'"),
        (with_probe("{icmp: {count: 1}}"), "'address' is missing: a probe icmp needs it"),
        (
            with_probe("{icmp: {address: 'a b'}}"),
            "'address' has to be an IP address or a host's name, not 'a b'",
        ),
        (
            with_probe("{icmp: {address: a, count: 21}}"),
            "'count' has to be a whole number from 1 to 20, not '21'",
        ),
        (
            with_probe("{icmp: {address: a, timeout_s: 31}}"),
            "'timeout_s' has to be a number of seconds up to 30",
        ),
        (
            with_probe("{icmp: {address: a, timeout_s: 10}}", "10s"),
            "'timeout_s' 10 has to be below 'every', which is 10s",
        ),
        (with_probe("{snmp: {address: a}}"), "'community' is missing: SNMP 2c needs it here"),
        (with_probe("{snmp: {address: a, version: 3}}"), "'user' is missing: SNMP 3 needs it here"),
        (
            with_probe(f'{{snmp: {{address: a, version: 3, community: "{SEALED}"}}}}'),
            "'community' means nothing with version 3",
        ),
        (
            with_probe("{snmp: {address: a, version: 3, user: u, auth: sha1}}"),
            "'auth_key' is missing: SNMP 3 needs it here",
        ),
        (
            with_probe(f'{{snmp: {{address: a, version: 3, user: u, priv: des, priv_key: "{SEALED}"}}}}'),
            "'auth' is missing: SNMP 3 needs it here",
        ),
        (with_probe("{snmp: {address: a, community: sealed:x}}"), "'community' is not a whole sealed secret"),
        (with_probe("{http: {url: 'ftp://a/'}}"), "'url' has to be an address such as"),
        (with_probe("{http: {url: 'http://u:p@a/'}}"), "'url' carries a user or a password"),
        (with_probe("{http: {url: 'http://a/', method: HEAD, contains: x}}"), "'contains' needs a page"),
        (with_probe("{http: {url: 'http://a/', ca: x}}"), "'ca' has to be certificates in PEM"),
        (with_probe("{http: {url: 'http://a/', tls_verify: 2}}"), "'tls_verify' has to be true or false"),
        (
            with_probe(f"{{ssh: {{{LOGIN}}}}}"),
            "'host_key' is missing: a probe ssh needs it",
        ),
        (
            with_probe(f'{{ssh: {{{LOGIN}, host_key: "ssh-rsa AAAA"}}}}'),
            "'host_key' has to be a public key such as",
        ),
        (
            with_probe(f'{{ssh: {{address: a, user: u, command: id, host_key: "{HOST_KEY}"}}}}'),
            "one of 'password' and 'private_key' is needed",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(folder: Path, text: str, said: str) -> None:
    assert said in refused(folder, text)


@pytest.mark.parametrize("secret", ["community", "auth_key", "priv_key"])
def test_a_secret_in_clear_is_refused_and_never_repeated(folder: Path, secret: str) -> None:
    said = refused(folder, with_probe(f"{{snmp: {{address: a, {secret}: hunter2}}}}"))

    assert "device 'switch-1'" in said
    assert f"{secret!r} is a secret and stands here in clear: seal it: tocsin-server seal --client" in said
    assert "hunter2" not in said


def test_every_secret_there_is_has_to_be_sealed() -> None:
    secret = {
        f"{kind}.{name}"
        for kind, options in OPTIONS.items()
        for name, option in options.items()
        if option.read.__name__ == "sealed"
    }

    assert secret == {"snmp.community", "snmp.auth_key", "snmp.priv_key", "ssh.password", "ssh.private_key"}


def test_everything_that_is_wrong_in_all_files_is_told_at_once(folder: Path) -> None:
    (folder / "a.yml").write_text(with_probe("{icmp: {adress: a}}") + "- name: b\n  kind: x\n  probes: [y]\n")
    (folder / "b.yml").write_text("client: globex\n")

    with pytest.raises(DeviceFileErrors) as refusal:
        load_device_files(folder)

    assert [(Path(error.file).name, error.device) for error in refusal.value.errors] == [
        ("a.yml", "switch-1"),
        ("a.yml", "b"),
        ("b.yml", ""),
    ]
    assert "(and 2 more): tocsin-server probes check" in str(refusal.value)


def test_one_device_stands_once_in_a_file_and_once_in_all_of_a_client(folder: Path) -> None:
    one = with_probe("{icmp: {address: a}}")
    twice = one + one.partition("devices:\n")[2]
    (folder / "globex.yml").write_text(one.replace("acme", "globex"))

    assert "'switch-1' is declared twice in this file" in refused(folder, twice)
    (folder / "rome.yml").write_text(one.replace("berlin", "rome"))
    assert f"{folder}/acme.yml declares it already" in refused(folder, one)


def test_an_agent_has_one_file(folder: Path) -> None:
    (folder / "again.yml").write_text(HEAD.replace("atlas", "Atlas"))

    assert "again.yml:1:" in refused(folder, HEAD)


def test_too_much_for_one_answer_is_refused(folder: Path) -> None:
    probes = "".join(
        f"\n    - http: {{name: p{n}, url: 'http://a/', contains: {'x' * 1000}}}" for n in range(16)
    )
    devices = "".join(f"\n- name: d{n}\n  kind: application\n  probes:{probes}" for n in range(70))

    assert "the devices are more than 1 MiB: use a second agent" in refused(folder, f"{HEAD}devices:{devices}")


def test_what_an_agent_is_told_holds_no_more_than_what_it_needs(folder: Path) -> None:
    (site,) = load(folder, FULL)

    told = packed(site.devices)

    assert b"parents" not in told
    assert b"router-1" not in told
    assert told == packed(load(folder, "# a comment\n" + FULL)[0].devices)


def test_the_documented_example_is_a_good_file(folder: Path) -> None:
    config = Path(__file__).resolve().parents[3] / "config" / "probes" / "README.md"
    example = config.read_text().partition("```yaml\n")[2].partition("```")[0]

    (site,) = load(folder, example.replace("sealed:…", SEALED).replace("ssh-ed25519 AAAA…", HOST_KEY))

    used = {(probe.kind, name) for device in site.devices for probe in device.probes for name in probe.options}
    unshown = {
        "ca",
        "tls_verify",
        "password",
        "server_name",
        "port",
        "timeout_s",
    }  # told in words, or alike elsewhere
    for kind, options in OPTIONS.items():
        assert {name for name in options if (kind, name) not in used} <= unshown


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["switch-1", "network", "30s", "icmp", "192.0.2.1", SEALED, "a", "ssh-rsa AAAA", "3"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["client", "site", "agent", "devices", "name", "kind", "every", "parents", "probes", *OPTIONS]
                + [name for options in OPTIONS.values() for name in options]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def _read_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "any.yml"
    path.write_bytes(content)
    try:
        for site in load_device_files(path):
            packed(site.devices)
    except DeviceFileErrors as refusal:
        errors = refusal.errors
    else:
        return
    assert errors
    assert all(error.line >= 1 and error.reason for error in errors)


@given(tree=TREES)
def test_any_tree_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    folder = tmp_path_factory.getbasetemp()
    devices = {"client": "acme", "site": "berlin", "agent": "atlas", "devices": [tree]}
    for document in (tree, devices):
        _read_or_refused(folder, yaml.safe_dump(document, allow_unicode=True).encode())


@given(
    options=st.dictionaries(
        st.sampled_from(sorted({name for options in OPTIONS.values() for name in options})),
        st.text(max_size=40) | st.integers() | st.lists(st.integers(), max_size=3),
        max_size=5,
    ),
    kind=st.sampled_from(sorted(OPTIONS)),
)
def test_any_options_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, object], kind: str
) -> None:
    document = {
        "client": "acme",
        "site": "berlin",
        "agent": "atlas",
        "devices": [{"name": "a", "kind": "network", "probes": [{kind: {"address": "a", **options}}]}],
    }
    _read_or_refused(tmp_path_factory.getbasetemp(), yaml.safe_dump(document, allow_unicode=True).encode())


@given(
    content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    _read_or_refused(tmp_path_factory.getbasetemp(), content)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"a: \0",
        b'client: "\\uD800"\nsite: a\nagent: b\n',
        b"&a [*a]",
        b"client: &a [*a]\n",
        b"[" * 100_000,
        b"client: !!python/object/apply:os.system [id]\n",
        b"a\n---\nb\n",
        b"client: *nobody\n",
    ],
    ids=range(9),
)
def test_hostile_files_are_refused(folder: Path, content: bytes) -> None:
    (folder / "acme.yml").write_bytes(content)

    with pytest.raises(DeviceFileErrors):
        load_device_files(folder)
