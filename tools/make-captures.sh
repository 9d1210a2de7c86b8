#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes tests/captures/*.pcap: real exchanges between two network namespaces of our own, joined by
# a veth pair. Addresses and client ports are fixed; times, sequence numbers and DNS ids are not,
# so a second run gives other bytes, and the shipped files are made again only when the set changes.
#
# Needs root, iproute2, tcpdump, curl, ping, python3 and clang (for the tc programs).
# usage: tools/make-captures.sh [OUTPUT_DIR]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
here=$root/tests/captures
out=${1:-$here}
max_bytes=$((256 * 1024))
a_ns=weircap-a-$$ b_ns=weircap-b-$$
a_dev=wca$$ b_dev=wcb$$ # 15 characters at most, made in our own namespace, renamed there
work=$(mktemp -d)
pids=()

cleanup() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	ip netns del "$a_ns" 2>/dev/null || true
	ip netns del "$b_ns" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

die() {
	echo "make-captures: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || die "needs root for network namespaces"
for tool in ip tc tcpdump curl ping python3; do
	command -v "$tool" >/dev/null || die "$tool is not installed"
done
clang=$(command -v clang-19 || command -v clang) || die "clang is not installed"

in_a() { ip netns exec "$a_ns" "$@"; }
in_b() { ip netns exec "$b_ns" "$@"; }

# A fresh pair of hosts for every capture, so that each begins with ARP and neighbour discovery.
make_hosts() {
	local mtu=$1 ns dev mac
	ip netns del "$a_ns" 2>/dev/null || true
	ip netns del "$b_ns" 2>/dev/null || true
	ip netns add "$a_ns"
	ip netns add "$b_ns"
	ip link add "$a_dev" netns "$a_ns" type veth peer name "$b_dev" netns "$b_ns"
	for ns in "$a_ns" "$b_ns"; do
		if [ "$ns" = "$a_ns" ]; then dev=$a_dev mac=0a; else dev=$b_dev mac=0b; fi
		ip -n "$ns" link set lo up
		ip -n "$ns" link set "$dev" name veth0 address 02:00:00:00:00:$mac mtu "$mtu" \
			addrgenmode none gso_max_segs 1
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.veth0.accept_dad=0
		# Segmentation and checksums happen in software before the tap sees the frame.
		ip netns exec "$ns" python3 "$here/offloads_off.py" veth0
	done
	ip -n "$a_ns" addr add 192.0.2.1/24 dev veth0
	ip -n "$b_ns" addr add 192.0.2.2/24 dev veth0
	ip -n "$a_ns" addr add 2001:db8::1/64 dev veth0
	ip -n "$b_ns" addr add 2001:db8::2/64 dev veth0
	ip -n "$a_ns" link set veth0 up
	ip -n "$b_ns" link set veth0 up
}

start_server() { # arguments: a command to run on host b
	# Not through in_b: the pid must be the command's own, not a subshell's.
	ip netns exec "$b_ns" "$@" >/dev/null 2>&1 &
	pids+=($!)
	server=$!
}

stop_server() {
	kill "$server"
	wait "$server" 2>/dev/null || true
}

wait_for_port() { # protocol letter (t or u), port
	for _ in $(seq 100); do
		in_b ss -Hln"$1" "sport = :$2" | grep -q . && return
		sleep 0.05
	done
	die "no server on port $2"
}

start_capture() { # name; captures on host a
	capture=$out/$1.pcap
	# Without -Z tcpdump gives up root before it creates the file.
	ip netns exec "$a_ns" tcpdump -Z root -i veth0 -s 0 -n -U --immediate-mode -w "$capture" 2>"$work/tcpdump.log" &
	tcpdump=$!
	pids+=("$tcpdump")
	for _ in $(seq 100); do
		grep -q listening "$work/tcpdump.log" && return
		sleep 0.05
	done
	die "tcpdump does not start: $(cat "$work/tcpdump.log")"
}

stop_capture() {
	sleep 0.3
	kill "$tcpdump"
	wait "$tcpdump" || true
	local bytes
	bytes=$(stat -c %s "$capture")
	[ "$bytes" -le "$max_bytes" ] || die "$capture: $bytes bytes, at most $max_bytes expected"
	echo "$(basename "$capture"): $bytes bytes"
}

start_http() {
	start_server python3 -m http.server 80 --bind :: --directory "$work/www"
	wait_for_port t 80
}

local_port=40000
fetch() { # URL, and curl options
	local_port=$((local_port + 1))
	in_a curl -sS -o /dev/null --local-port "$local_port" --max-time 20 "${@:2}" "$1"
}

http_exchange() { # host part of the URL, path of the big file
	fetch "http://$1/index.html"
	fetch "http://$1/$2"
	fetch "http://$1/index.html" -I
	fetch "http://$1/missing"
}

attach_tc() { # namespace, object section, direction
	ip netns exec "$1" tc qdisc replace dev veth0 clsact
	ip netns exec "$1" tc filter add dev veth0 "$3" bpf direct-action object-file "$work/wire.o" \
		section "$2"
}

tag_both() { # section that pushes, section that pops
	local ns
	for ns in "$a_ns" "$b_ns"; do
		attach_tc "$ns" "$1" egress
		attach_tc "$ns" "$2" ingress
	done
}

prepare() {
	mkdir -p "$work/www" "$out"
	echo '<html><body>weir</body></html>' >"$work/www/index.html"
	seq 1 3500 >"$work/www/medium.txt"
	seq 1 20000 >"$work/www/large.txt"
	"$clang" -target bpf -O2 -g -I"/usr/include/$(uname -m)-linux-gnu" -c "$here/wire.bpf.c" \
		-o "$work/wire.o"
}

capture_http() {
	make_hosts 1500
	start_http
	start_capture http_ipv4
	http_exchange 192.0.2.2 medium.txt
	stop_capture
	start_capture http_ipv6
	http_exchange '[2001:db8::2]' medium.txt
	stop_capture
	stop_server
}

capture_dns() {
	make_hosts 1500
	start_server python3 "$here/dns.py" serve
	wait_for_port u 53
	start_capture dns
	in_a python3 "$here/dns.py" ask 192.0.2.2 2001:db8::2
	stop_capture
	stop_server
}

capture_ping() {
	make_hosts 1500
	start_capture ping
	in_a ping -q -c 10 -i 0.02 192.0.2.2 >/dev/null
	in_a ping -q -c 10 -i 0.02 2001:db8::2 >/dev/null
	stop_capture
}

capture_vlan() {
	make_hosts 1500
	tag_both tc/push_vlan tc/pop
	start_http
	start_capture vlan
	in_a ping -q -c 3 -i 0.02 192.0.2.2 >/dev/null
	http_exchange 192.0.2.2 medium.txt
	http_exchange '[2001:db8::2]' index.html
	stop_capture
	stop_server

	make_hosts 1500
	tag_both tc/push_qinq tc/pop_both
	start_http
	start_capture qinq
	in_a ping -q -c 3 -i 0.02 192.0.2.2 >/dev/null
	http_exchange 192.0.2.2 index.html
	stop_capture
	stop_server
}

capture_fragments() {
	make_hosts 1500
	start_capture fragments
	in_a ping -q -c 5 -i 0.02 -s 4000 192.0.2.2 >/dev/null
	in_a ping -q -c 5 -i 0.02 -s 4000 2001:db8::2 >/dev/null
	stop_capture
}

capture_jumbo() {
	make_hosts 9000
	start_http
	start_capture jumbo
	in_a ping -q -c 3 -i 0.02 -s 8972 192.0.2.2 >/dev/null
	http_exchange 192.0.2.2 large.txt
	stop_capture
	stop_server
}

capture_tcp_loss() {
	make_hosts 1500
	# XDP comes before the tap, and the sender cannot know: a drop at its own egress it would.
	ip -n "$a_ns" link set veth0 xdp object "$work/wire.o" section xdp
	start_http
	start_capture tcp_loss
	fetch http://192.0.2.2/large.txt
	stop_capture
	stop_server
}

capture_icmp_errors() {
	make_hosts 1500
	start_capture icmp_errors
	for host in 192.0.2.2 2001:db8::2; do
		in_a python3 "$here/closed_ports.py" "$host"
	done
	stop_capture
}

prepare
capture_http
capture_dns
capture_ping
capture_vlan
capture_fragments
capture_jumbo
capture_tcp_loss
capture_icmp_errors
