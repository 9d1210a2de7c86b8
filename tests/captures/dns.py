# SPDX-License-Identifier: BSD-3-Clause
"""A DNS server of five names, and a client that asks for them over UDP.

usage: dns.py serve | dns.py ask SERVER…
"""
import ipaddress
import socket
import struct
import sys

PORT = 53
TYPE_A, TYPE_CNAME, TYPE_TXT, TYPE_AAAA = 1, 5, 16, 28
FLAGS_ANSWER, FLAGS_QUERY, RCODE_NXDOMAIN = 0x8580, 0x0100, 3
TTL_S = 300


def encode_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def text(value):
    data = value.encode()
    return bytes([len(data)]) + data


ZONE = {
    ("www.example.org", TYPE_A): [(TYPE_A, ipaddress.ip_address("192.0.2.2").packed)],
    ("www.example.org", TYPE_AAAA): [(TYPE_AAAA, ipaddress.ip_address("2001:db8::2").packed)],
    ("alias.example.org", TYPE_A): [
        (TYPE_CNAME, encode_name("www.example.org")),
        (TYPE_A, ipaddress.ip_address("192.0.2.2").packed),
    ],
    ("many.example.org", TYPE_A): [
        (TYPE_A, ipaddress.ip_address(f"198.51.100.{i}").packed) for i in range(20)
    ],
    ("text.example.org", TYPE_TXT): [(TYPE_TXT, text("v=weir1 " + "x" * 200))],
}
QUESTIONS = [*ZONE, ("nowhere.example.org", TYPE_A), ("a.b.c.d.e.f.g.example.org", TYPE_AAAA)]


def decode_question(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    return (".".join(labels), struct.unpack_from("!H", query, at + 1)[0]), query[12 : at + 5]


def answer(query):
    key, question = decode_question(query)
    records = ZONE.get(key, [])
    flags = FLAGS_ANSWER | (0 if records else RCODE_NXDOMAIN)
    reply = query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0) + question
    for kind, data in records:
        # 0xc00c points back to the question's name.
        reply += struct.pack("!HHHIH", 0xC00C, kind, 1, TTL_S, len(data)) + data
    return reply


def serve():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", PORT))
        while True:
            query, client = sock.recvfrom(512)
            sock.sendto(answer(query), client)


def ask(server, first_id):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((server, PORT))
        for number, (name, kind) in enumerate(QUESTIONS):
            header = struct.pack("!6H", first_id + number, FLAGS_QUERY, 1, 0, 0, 0)
            sock.send(header + encode_name(name) + struct.pack("!HH", kind, 1))
            if sock.recv(4096)[:2] != header[:2]:
                sys.exit(f"{server}: an answer to another question")


def main():
    if sys.argv[1] == "serve":
        serve()
    for number, server in enumerate(sys.argv[2:]):
        ask(server, 0x1000 * (number + 1))


main()
