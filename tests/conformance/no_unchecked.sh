#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# no_unchecked.sh PLUGIN PROGRAM…: lowering without a verifier is in the plugin (so the check can
# fail) and in no program.
symbol=weir_low_from_raw_unchecked
plugin=$1
shift
if ! nm "$plugin" | grep -q " $symbol\$"; then
	echo "$plugin does not have $symbol: this check checks nothing" >&2
	exit 1
fi
for program in "$@"; do
	if [ ! -e "$program" ]; then
		echo "$program is not built" >&2
		exit 1
	fi
	if nm "$program" | grep -q " $symbol\$"; then
		echo "$program links $symbol" >&2
		exit 1
	fi
done
