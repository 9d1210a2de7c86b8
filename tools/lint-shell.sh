#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs shellcheck over every shell script of the repository.
set -o pipefail
cd "$(dirname "$0")/.." || exit 1
git ls-files | while read -r file; do
	if head -n 1 "$file" 2>/dev/null | grep -qE '^#!.*(ba)?sh'; then
		echo "$file"
	fi
done | xargs shellcheck -x
