#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by demo.sh and check.sh: says what Debian packages are missing and how large they are,
# then installs them (root, or sudo for apt alone).

# shellcheck disable=SC2034

# What building and running needs.
deps_build=(gcc libc6-dev meson ninja-build pkg-config clang-19 linux-libc-dev libbpf-dev libelf-dev
	libyaml-dev libpcap-dev libdpdk-dev libjansson-dev libmd-dev libsystemd-dev libcmocka-dev
	python3)
# What the demonstration shows besides.
deps_demo=(libxdp1)
# What the tests need besides.
deps_check=(git clang-format clang shellcheck python3-pytest python3-yaml iproute2 systemd bpftool
	libxdp1 libclang-rt-19-dev tcpdump iputils-ping util-linux dpdk dpdk-dev binutils procps)

deps_missing() {
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = 'ii ' ] || echo "$p"
	done
}

deps_as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	elif command -v sudo >/dev/null; then
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	else
		echo "$0: packages must be installed and this is not root: install sudo, or run as root:" >&2
		echo "  $*" >&2
		return 1
	fi
}

# deps_install YES(0|1) NO_INSTALL(0|1) PACKAGE…
deps_install() {
	local yes=$1 never=$2 missing plan log
	shift 2
	mapfile -t missing < <(deps_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$never" -eq 1 ]; then
		echo "$0: missing packages (and --no-install was given): ${missing[*]}" >&2
		return 1
	fi
	if ! apt-get install --simulate --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
		echo "Reading Debian's package lists…"
		deps_as_root apt-get update -qq || return 1
	fi
	plan=$(LC_ALL=C apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>&1 |
		grep -E '^(Need to get|After this operation)' | tr '\n' ' ')
	echo "To be installed with apt: ${missing[*]}"
	echo "  with what they depend on: ${plan:-size unknown}"
	if [ "$yes" -eq 0 ] && [ -t 0 ]; then
		read -r -p "Install them? [Y/n] " answer
		case ${answer:-y} in [Yy]*) ;; *) return 1 ;; esac
	fi
	log=$(mktemp)
	deps_as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		rm -f "$log"
		echo "$0: apt-get install failed; try it by hand: ${missing[*]}" >&2
		return 1
	}
	rm -f "$log"
}
