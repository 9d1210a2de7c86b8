#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a pcap of distinct 60-byte TCP and UDP frames: make-frames.py OUT.pcap [COUNT]

The same bytes every time. Sources are 10.0.0.0/16, all different; the destination is 198.51.100.7,
port 9999 for three quarters and 80 for the rest. Protocol and port change every 16 frames, as
traffic comes in trains: a branch on them is predicted now and then wrongly.
"""
import struct
import sys

SWAPPED = bytes.fromhex("020000000002020000000001")
SERVER = bytes([198, 51, 100, 7])
SOURCE_PORT = 40000
TRAIN = 16


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(i):
    train = (i // TRAIN * 2654435761 >> 8) & 0xFFFF
    tcp = train % 5 < 3
    port = 80 if train // 5 % 4 == 0 else 9999
    source = (i * 40503) & 0xFFFF  # odd factor: a permutation of 16 bits
    address = bytes([10, 0]) + struct.pack(">H", source)
    protocol, size = (6, 20) if tcp else (17, 8)
    payload = struct.pack(">Q", i * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF).ljust(26 - size, b"\0")
    if tcp:
        l4 = struct.pack(">HHIIBBHHH", SOURCE_PORT, port, i, 1, 5 << 4, 0x10, 512, 0, 0)
        payload = payload[:6]
    else:
        l4 = struct.pack(">HHHH", SOURCE_PORT, port, 8 + len(payload), 0)
    l4 += payload
    pseudo = address + SERVER + struct.pack(">HH", protocol, len(l4))
    where = 16 if tcp else 6
    l4 = l4[:where] + struct.pack(">H", checksum(pseudo + l4) or 0xFFFF) + l4[where + 2:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(l4), i & 0xFFFF, 0x4000, 64, protocol, 0)
    ip += address + SERVER
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return SWAPPED + b"\x08\x00" + ip + l4


def main():
    out = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 16384
    if not 0 < count <= 65536:
        sys.exit("make-frames.py: COUNT must be 1 to 65536")
    with open(out, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(count):
            data = frame(i)
            f.write(struct.pack("<IIII", i // 1000000, i % 1000000, len(data), len(data)) + data)


main()
