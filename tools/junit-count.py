#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sums JUnit files: prints `passed failed skipped`, then a line for each failure and skip."""
import sys
import xml.etree.ElementTree as ET


def main(files):
    passed, failed, skipped = 0, [], []
    for file in files:
        for suite in ET.parse(file).getroot().iter("testsuite"):
            for case in suite.findall("testcase"):
                name = f"{suite.get('name')}: {case.get('name')}"
                bad = [x for x in case if x.tag in ("failure", "error")]
                skip = case.find("skipped")
                if bad:
                    text = (bad[0].get("message") or bad[0].text or "").strip()
                    failed.append(f"FAIL {name}: {text.splitlines()[0] if text else ''}")
                elif skip is not None:
                    # meson puts a TAP skip's reason beside it
                    out = case.find("system-out")
                    why = skip.get("message") or skip.text or (out is not None and out.text)
                    why = (why or "no reason given").strip()
                    skipped.append(f"SKIP {name}: {why}")
                else:
                    passed += 1
    print(passed, len(failed), len(skipped))
    print("\n".join(failed + skipped))


if __name__ == "__main__":
    main(sys.argv[1:])
