#!/usr/bin/env python3
"""Drives the lakeward binary from outside: servers and readers that this project did not write.

    run.py [--bin PATH] [--work DIR] [--records N] [GROUP…]

Prints one line a check and ends with `N passed, N failed`; exits 1 if any failed. `.ci/run` makes the Python
environment and node_modules that it needs under target/outside.
"""

import argparse
import importlib
import os
import pathlib
import sys
import time

import harness

GROUPS = ["volume", "memory", "readers", "drift", "json_server", "rate_limited", "shared_pace", "django_rest", "oidc", "webhook", "reach", "kills", "rivals", "power_loss", "full_disk", "every_call", "hostile", "lineage", "backfill", "webhook_kills", "s3", "s3_faults"]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    p.add_argument("--bin", default=harness.REPO / "target/release/lakeward", type=pathlib.Path)
    p.add_argument("--work", default=harness.REPO / "target/outside/work", type=pathlib.Path)
    p.add_argument("--records", type=int, help="records of the volume group; 1000000 to measure peak memory")
    a = p.parse_args()
    if unknown := set(a.groups) - set(GROUPS):
        p.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if not a.bin.is_file():
        p.error(f"no binary at {a.bin}: cargo build --release")
    if a.records:
        os.environ["OUTSIDE_RECORDS"] = str(a.records)
    a.work.mkdir(parents=True, exist_ok=True)
    lakeward, report = harness.Lakeward(a.bin), harness.Report()
    for group in a.groups or GROUPS:
        report.group, start = group, time.monotonic()
        print(f"-- {group}", flush=True)
        try:
            importlib.import_module(group).run(report, lakeward, a.work.resolve() / group)
        except Exception as e:  # a server that does not start fails its group, not the rest
            with report.check("the group ends"):
                raise AssertionError(f"{type(e).__name__}: {e}") from e
        print(f"-- {group}: {time.monotonic() - start:.0f} s", flush=True)
    report.total()
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
