#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the build products promise: libweir needs libc alone, and the unchecked lowering of tests is
# in no product.
set -eu
build=$1
bad=0
for lib in "$build"/api/libweir*.so; do
	needed=$(readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | tr '\n' ' ')
	echo "$lib needs: $needed"
	for n in $needed; do
		case $n in libc.so.*) ;; *) echo "  expected libc alone, found $n" && bad=1 ;; esac
	done
done
for product in "$build"/daemon/weird "$build"/tools/weirctl; do
	[ -x "$product" ] || { echo "$product is missing" && bad=1 && continue; }
	if nm "$product" | grep -q weir_low_from_raw_unchecked; then
		echo "$product holds weir_low_from_raw_unchecked, expected in tests only" && bad=1
	fi
done
exit $bad
