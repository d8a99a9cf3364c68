import pytest

from tocsin_agent.collectors.conntrack import ConntrackCollector
from tocsin_agent.collectors.netstat import NetstatCollector
from tocsin_agent.collectors.network import NetworkCollector
from tocsin_agent.collectors.sockstat import SockstatCollector


def test_an_interface_has_all_sixteen_counters(roots, told):
    values = told(NetworkCollector(roots).collect())

    received = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"]
    for column, expected in zip(received, [201293052, 8764, 1, 2, 3, 4, 5, 6], strict=True):
        assert values[f"node_network_receive_{column}_total{{device=eth0}}"] == expected
    transmitted = ["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"]
    for column, expected in zip(transmitted, [642231, 5533, 7, 8, 9, 10, 11, 12], strict=True):
        assert values[f"node_network_transmit_{column}_total{{device=eth0}}"] == expected


def test_an_interface_tells_its_state(roots, told):
    values = told(NetworkCollector(roots).collect())

    assert values["node_network_up{device=eth0}"] == 1
    assert values["node_network_carrier{device=eth0}"] == 1
    assert values["node_network_carrier_changes_total{device=eth0}"] == 2
    assert values["node_network_receive_nohandler_total{device=eth0}"] == 13
    assert values["node_network_mtu_bytes{device=eth0}"] == 1400
    assert values["node_network_speed_bytes{device=eth0}"] == 125_000_000
    assert (
        "node_network_info{address=02:fc:00:00:00:01,adminstate=up,broadcast=ff:ff:ff:ff:ff:ff,"
        "device=eth0,duplex=full,ifalias=uplink to core,operstate=up}"
    ) in values


def test_loopback_is_of_unknown_state_and_so_not_up(roots, told):
    values = told(NetworkCollector(roots).collect())

    assert values["node_network_up{device=lo}"] == 0
    assert "node_network_info{adminstate=down,device=lo,operstate=unknown}" in values


def test_a_speed_that_the_driver_does_not_know_is_absent(roots, told):
    values = told(NetworkCollector(roots).collect())

    assert "node_network_speed_bytes{device=lo}" not in values


def test_an_interface_that_sys_does_not_know_has_its_counters(roots, told):
    values = told(NetworkCollector(roots).collect())

    assert values["node_network_receive_packets_total{device=eth0:1}"] == 2
    assert "node_network_up{device=eth0:1}" not in values


def test_an_interface_that_goes_down_is_described_anew_at_once(own_roots, told):
    network = NetworkCollector(own_roots)
    told(network.collect())
    (own_roots.sys / "class/net/eth0/operstate").write_text("down\n")

    values = told(network.collect())

    assert values["node_network_up{device=eth0}"] == 0
    assert any("device=eth0" in series and "operstate=down" in series for series in values)


def test_an_interface_that_leaves_is_told_no_more(own_roots, told):
    network = NetworkCollector(own_roots)
    told(network.collect())
    dev = own_roots.proc / "net/dev"
    dev.write_text("".join(line for line in dev.read_text().splitlines(keepends=True) if "eth0" not in line))

    values = told(network.collect())

    assert not any("eth0" in series for series in values)


def test_sockets_are_counted_and_their_pages_are_also_told_in_bytes(roots, told):
    values = told(SockstatCollector(roots).collect())

    assert values["node_sockstat_sockets_used"] == 21
    assert values["node_sockstat_TCP_tw"] == 1
    assert values["node_sockstat_TCP_mem"] == 214
    assert values["node_sockstat_TCP_mem_bytes"] % 214 == 0
    assert values["node_sockstat_TCP6_inuse"] == 3


def test_the_stacks_counters_are_the_few_that_tell_of_trouble(roots, told):
    values = told(NetstatCollector(roots).collect())

    assert values == {
        "node_netstat_TcpExt_SyncookiesSent": 1,
        "node_netstat_TcpExt_ListenOverflows": 2,
        "node_netstat_TcpExt_TCPTimeouts": 4,
        "node_netstat_IpExt_InOctets": 500,
        "node_netstat_IpExt_OutOctets": 600,
        "node_netstat_Ip_Forwarding": 2,
        "node_netstat_Tcp_CurrEstab": 2,
        "node_netstat_Tcp_InErrs": 3,
        "node_netstat_UdpLite_InErrors": 5,
        "node_netstat_Ip6_InOctets": 128,
        "node_netstat_Icmp6_InMsgs": 3,
        "node_netstat_Udp6_RcvbufErrors": 4,
        "node_netstat_UdpLite6_InErrors": 5,
    }


@pytest.mark.parametrize(
    ("collector", "file"), [(SockstatCollector, "net/sockstat6"), (NetstatCollector, "net/snmp6")]
)
def test_a_host_without_ipv6_lacks_only_that(own_roots, told, collector, file):
    (own_roots.proc / file).unlink()

    values = told(collector(own_roots).collect())

    assert values
    assert not any("6" in series for series in values)


def test_the_firewalls_table_is_told_where_there_is_one(roots, told):
    values = told(ConntrackCollector(roots).collect())

    assert values == {"node_nf_conntrack_entries": 12, "node_nf_conntrack_entries_limit": 262144}


def test_a_kernel_without_connection_tracking_is_no_error(own_roots, told):
    for file in (own_roots.proc / "sys/net/netfilter").iterdir():
        file.unlink()

    assert told(ConntrackCollector(own_roots).collect()) == {}
