# SPDX-License-Identifier: BSD-3-Clause
"""Debian's xdp-filter objects, which nobody here wrote, filled with weirctl.

xdpfilt_alw_all lets everything through but what its maps name; xdpfilt_dny_all nothing but that.
An entry's value is flag bits (SRC 1, DST 2, TCP 4, UDP 8); a hit adds 64 to it.
"""

import ipaddress
import struct

import pytest

from test_weirctl_online import CONFIG, Ctl, wait_for
from weirctl_tool import CAPTURES, XDP_FILTER, read_pcap, run_json

pytestmark = pytest.mark.skipif(not (XDP_FILTER / "xdpfilt_alw_all.o").exists(),
                                reason="libxdp1 is not installed")

SRC, DST, TCP, UDP = 1, 2, 4, 8
XDP_ABORTED, XDP_DROP, XDP_PASS = 0, 1, 2
HITS = 64
PACKETS = [p for name in ("dns", "http_ipv4", "http_ipv6", "ping", "icmp_errors")
           for _, p in read_pcap(CAPTURES / f"{name}.pcap")]


class Packet:
    """What xdp-filter looks at."""

    def __init__(self, data):
        self.mac = {DST: data[:6], SRC: data[6:12]}
        self.ip, self.ports, self.proto = {}, {}, 0
        ethertype, = struct.unpack_from(">H", data, 12)
        if ethertype == 0x800:
            l4, protocol = 14 + 4 * (data[14] & 15), data[23]
            self.ip = {SRC: data[26:30], DST: data[30:34]}
        elif ethertype == 0x86dd:
            l4, protocol = 54, data[20]
            self.ip = {SRC: data[22:38], DST: data[38:54]}
        else:
            return
        if protocol in (6, 17):
            self.proto = TCP if protocol == 6 else UDP
            ports = struct.unpack_from(">HH", data, l4)
            self.ports = {SRC: ports[0], DST: ports[1]}


def hit(data, macs=(), ips=(), ports=()):
    """Each is {key: flags}."""
    p = Packet(data)
    for table, found in ((macs, p.mac), (ips, p.ip)):
        if any(table and table.get(found[side], 0) & side for side in found):
            return True
    return any(ports and ports.get(p.ports[side], 0) & (side | p.proto) == side | p.proto
               for side in p.ports)


def address(text):
    return ipaddress.ip_address(text).packed


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


# (map, words of the key as weirctl takes them, flags, the model's table)
CASES = {
    "udp port 53, to": ("filter_ports", ["hex", "00", "35", "00", "00"], DST | UDP,
                        {"ports": {53: DST | UDP}}),
    "udp port 53, both": ("filter_ports", ["hex", "00350000"], SRC | DST | UDP,
                          {"ports": {53: SRC | DST | UDP}}),
    "tcp port 80, from": ("filter_ports", [str(80 << 8)], SRC | TCP,
                          {"ports": {80: SRC | TCP}}),
    "tcp port 53": ("filter_ports", ["hex", "00350000"], SRC | DST | TCP,
                    {"ports": {53: SRC | DST | TCP}}),
    "IPv4, from": ("filter_ipv4", ["192.0.2.1"], SRC, {"ips": {address("192.0.2.1"): SRC}}),
    "IPv4, to": ("filter_ipv4", ["hex", "c0", "00", "02", "02"], DST,
                 {"ips": {address("192.0.2.2"): DST}}),
    "IPv6, both": ("filter_ipv6", ["2001:db8::1"], SRC | DST,
                   {"ips": {address("2001:db8::1"): SRC | DST}}),
    "MAC, from": ("filter_ethernet", ["02:00:00:00:00:0b"], SRC,
                  {"macs": {mac("02:00:00:00:00:0b"): SRC}}),
    "MAC, to": ("filter_ethernet", ["hex", "02000000000a"], DST,
                {"macs": {mac("02:00:00:00:00:0a"): DST}}),
    "an address of nobody": ("filter_ipv4", ["198.51.100.7"], SRC | DST,
                             {"ips": {address("198.51.100.7"): SRC | DST}}),
}


def test_the_model_sees_both_sides():
    """The cases hit some packets and miss some: else the tests below show nothing."""
    for name, (_, _, _, tables) in CASES.items():
        hits = sum(hit(p, **tables) for p in PACKETS)
        assert hits < len(PACKETS)
        assert hits > 5 or name in ("tcp port 53", "an address of nobody"), name


@pytest.mark.parametrize("capture", ["dns", "http_ipv4", "ping"])
def test_without_entries(capture):
    """Offline: an empty list denies nothing, or everything."""
    for name, verdict in (("alw", "pass"), ("dny", "drop")):
        for engine in ((), ("--interp",)):
            done = run_json("run", XDP_FILTER / f"xdpfilt_{name}_all.o", "-r",
                            CAPTURES / f"{capture}.pcap", "-q", *engine)
            assert done["verdicts"] == {verdict: done["packets"]}


def verdicts(bpf, pin):
    fd = bpf.get(pin)
    out = []
    for packet in PACKETS:
        err, verdict, data, _ = bpf.test_run(fd, packet)
        assert err == 0 and data == packet
        out.append(verdict)
    return out


@pytest.mark.parametrize("name", ["alw", "dny"])
def test_every_packet_is_judged_by_the_maps(weird, bpf, name):
    ctl = Ctl(weird)
    ctl("prog", "load", XDP_FILTER / f"xdpfilt_{name}_all.o")
    pin = f"/weir/xdpfilt_{name}_all"
    on_hit, on_miss = (XDP_DROP, XDP_PASS) if name == "alw" else (XDP_PASS, XDP_DROP)
    assert verdicts(bpf, pin) == [on_miss] * len(PACKETS)
    for case, (map_name, key, flags, tables) in CASES.items():
        ctl("map", "update", map_name, *key, flags)
        hits = [hit(p, **tables) for p in PACKETS]
        assert verdicts(bpf, pin) == [on_hit if h else on_miss for h in hits], case
        values = ctl.json("map", "lookup", map_name, *key)["values"]
        assert sum(v["value"] // HITS for v in values) == sum(hits), case
        assert all(v["value"] % HITS == flags for v in values)
        if map_name == "filter_ports":
            ctl("map", "update", map_name, *key, 0)
        else:
            ctl("map", "delete", map_name, *key)
    assert verdicts(bpf, pin) == [on_miss] * len(PACKETS)


def drop_rate(ctl):
    """Of the packets that came between two looks, the part that was dropped."""
    def look():
        row, = ctl.json("port", "stats", "replay")
        return row["rx"], row["drop"]

    rx, drop = look()
    rx_after, drop_after = wait_for(lambda: look() if look()[0] > rx + 500000 else None)
    return (drop_after - drop) / (rx_after - rx)


def test_live(start_weird):
    """The same at a port that packets come in at, and from one program to the other."""
    dns = [p for _, p in read_pcap(CAPTURES / "dns.pcap")]
    ctl = Ctl(start_weird(CONFIG.format(capture=CAPTURES / "dns.pcap")))
    ctl("prog", "attach", XDP_FILTER / "xdpfilt_alw_all.o", "replay")
    assert {p["path"] for p in ctl.json("pin")} >= {"/weir/filter_ports", "/weir/filter_ipv4",
                                                    "/weir/filter_ipv6", "/weir/filter_ethernet"}
    assert drop_rate(ctl) == 0
    for case in ("udp port 53, to", "IPv6, both", "MAC, from"):
        map_name, key, flags, tables = CASES[case]
        expected = sum(hit(p, **tables) for p in dns) / len(dns)
        assert 0 < expected < 1
        ctl("map", "update", map_name, *key, flags)
        assert drop_rate(ctl) == pytest.approx(expected, abs=0.001), case
        done = ctl.json("prog", "replace", "replay", XDP_FILTER / "xdpfilt_dny_all.o")
        assert {m["name"]: m["fate"] for m in done["maps"]}[map_name] == "kept"
        assert drop_rate(ctl) == pytest.approx(1 - expected, abs=0.001), case
        ctl("prog", "replace", "replay", XDP_FILTER / "xdpfilt_alw_all.o")
        if map_name == "filter_ports":
            ctl("map", "update", map_name, *key, 0)
        else:
            ctl("map", "delete", map_name, *key)
    assert drop_rate(ctl) == 0
    row, = ctl.json("port", "stats", "replay")
    assert row["rx"] == row["drop"] + row["pass"] + row["in_flight"]
