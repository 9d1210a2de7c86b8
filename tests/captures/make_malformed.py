# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/captures/malformed/: bad frames in good files, and files that are bad themselves.

usage: make_malformed.py [OUTPUT_DIR]

The result is the same on every run. README.md says what each file is for.
"""
import pathlib
import struct
import sys

LINKTYPE_ETHERNET = 1
MAGIC_US, MAGIC_NS = 0xA1B2C3D4, 0xA1B23C4D
SNAP_BYTES = 65535
HEADER_BYTES, RECORD_BYTES = 24, 16

ETHERNET = bytes.fromhex("02000000000b02000000000a")
ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
PAYLOAD = bytes(range(32))


def file_header(order="<", magic=MAGIC_US, snap=SNAP_BYTES, linktype=LINKTYPE_ETHERNET):
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, linktype)


def record(frame, number, order="<", caplen=None, length=None):
    caplen = len(frame) if caplen is None else caplen
    length = caplen if length is None else length
    return struct.pack(order + "IIII", 1_700_000_000 + number, number, caplen, length) + frame


def capture(frames, order="<", **header):
    records = (record(frame, number, order) for number, frame in enumerate(frames))
    return file_header(order, **header) + b"".join(records)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(body, protocol=17, version_ihl=0x45, total=None, frag=0, options=b""):
    total = 20 + len(options) + len(body) if total is None else total
    addresses = bytes([192, 0, 2, 1, 192, 0, 2, 2])
    head = struct.pack("!BBHHHBBH", version_ihl, 0, total, 1, frag, 64, protocol, 0)
    header = head + addresses + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def ipv6(body, next_header=17, payload=None):
    payload = len(body) if payload is None else payload
    source, target = (bytes.fromhex("20010db8" + "00" * 11 + last) for last in ("01", "02"))
    return struct.pack("!IHBB", 0x60000000, payload, next_header, 64) + source + target + body


def udp(body=PAYLOAD, length=None):
    return struct.pack("!HHHH", 40000, 53, 8 + len(body) if length is None else length, 0) + body


def tcp(offset_words=5, options=b"", body=PAYLOAD):
    fields = (40000, 80, 1, 1, offset_words << 4, 0x18, 1024, 0, 0)
    return struct.pack("!HHIIBBHHH", *fields) + options + body


def frame4(packet):
    return ETHERNET + ETHERTYPE_IPV4 + packet


def frame6(packet):
    return ETHERNET + ETHERTYPE_IPV6 + packet


def every_cut(frame):
    return [frame[:length] for length in range(len(frame) + 1)]


def lying_headers():
    """Frames of full length whose length and offset fields lie."""
    yield frame4(ipv4(udp(), total=0))
    yield frame4(ipv4(udp(), total=19))
    yield frame4(ipv4(udp(), total=65535))
    yield frame4(ipv4(udp(), version_ihl=0x40))
    yield frame4(ipv4(udp(), version_ihl=0x44))
    yield frame4(ipv4(udp(), version_ihl=0x4F))
    yield frame4(ipv4(udp(), version_ihl=0x65))
    yield frame4(ipv4(udp(length=0)))
    yield frame4(ipv4(udp(length=65535)))
    yield frame4(ipv4(tcp(offset_words=0), protocol=6))
    yield frame4(ipv4(tcp(offset_words=15), protocol=6))
    yield frame4(ipv4(tcp(6, b"\x02\x00\x00\x00"), protocol=6))  # an option of length 0
    yield frame4(ipv4(tcp(6, b"\x08\xff\x00\x00"), protocol=6))  # an option past the header
    yield frame4(ipv4(udp(), frag=0x1FFF))
    yield frame4(ipv4(udp(), frag=0x2000))
    yield frame4(ipv4(udp(), version_ihl=0x46, options=b"\x07\x00\x00\x00"))
    yield frame6(ipv6(udp(), payload=0))
    yield frame6(ipv6(udp(), payload=65535))
    yield frame6(ipv6(b"\x00\xff" + bytes(6), next_header=0))  # hop-by-hop past the end
    yield frame6(ipv6(b"\x2c\x00" * 4, next_header=44))  # fragments naming fragments
    yield ETHERNET + (ETHERTYPE_VLAN + b"\x00\x01") * 10 + ETHERTYPE_IPV4 + ipv4(udp())
    yield ETHERNET + b"\x00\x26" + bytes(38)  # 802.3 length, no ethertype
    yield b"\xff" * 64
    yield bytes(64)


def pcapng():
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    frame = frame4(ipv4(udp()))
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", LINKTYPE_ETHERNET, 0, SNAP_BYTES))
    packet = struct.pack("<IIIII", 0, 0, 0, len(frame), len(frame)) + frame
    return section + interface + block(6, packet)


def bad_files():
    frames = [frame4(ipv4(udp())), frame6(ipv6(udp())), frame4(ipv4(tcp(), protocol=6))]
    good = capture(frames)
    last = record(frames[2], 2)
    yield "file_empty", b""
    yield "file_header_cut", good[: HEADER_BYTES - 1]
    yield "file_header_only", good[:HEADER_BYTES]
    yield "file_bad_magic", b"\xde\xad\xbe\xef" + good[4:]
    yield "file_bad_version", good[:4] + struct.pack("<HH", 99, 99) + good[8:]
    yield "file_record_header_cut", good[: -len(last) + RECORD_BYTES - 1]
    yield "file_record_cut", good[:-1]
    yield "file_caplen_huge", good + record(b"", 3, caplen=0xFFFFFFFF)
    yield "file_caplen_negative", good + record(b"", 3, caplen=0x80000000)
    yield "file_caplen_over_snaplen", capture(frames, snap=40)
    yield "file_caplen_over_length", good + record(frames[0], 3, length=10)
    yield "file_cut_by_snaplen", file_header(snap=40) + b"".join(
        record(frame[:40], number, length=len(frame)) for number, frame in enumerate(frames))
    yield "file_other_linktype", capture([frame[14:] for frame in frames], linktype=101)
    yield "file_nanoseconds", capture(frames, magic=MAGIC_NS)
    yield "file_big_endian", capture(frames, order=">")
    yield "file_pcapng", pcapng()


def main():
    here = pathlib.Path(__file__).parent / "malformed"
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    out.mkdir(parents=True, exist_ok=True)
    vlan = ETHERNET + ETHERTYPE_VLAN + b"\x00\x64" + ETHERTYPE_IPV4 + ipv4(udp())
    files = {
        "frames_ipv4_udp_cut": capture(every_cut(frame4(ipv4(udp())))),
        "frames_ipv4_tcp_cut": capture(every_cut(frame4(ipv4(tcp(), protocol=6)))),
        "frames_ipv6_udp_cut": capture(every_cut(frame6(ipv6(udp())))),
        "frames_vlan_cut": capture(every_cut(vlan)),
        "frames_runt": capture([bytes([n]) * n for n in range(60)]),
        "frames_zero_length": capture([b"", b"", frame4(ipv4(udp())), b""]),
        "frames_lying": capture(lying_headers()),
        **dict(bad_files()),
    }
    for name, content in files.items():
        (out / f"{name}.pcap").write_bytes(content)


main()
