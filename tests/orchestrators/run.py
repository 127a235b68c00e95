#!/usr/bin/env python3
"""Runs the examples for real: Airflow, Dagster and Spark on an API of their own, killed in the middle, their lakes read back.

    run.py [--bin PATH] [--work DIR] [--venv DIR] [GROUP…]

Prints one line a check and ends with `N passed, N failed`; exits 1 if any failed. Makes its Python environment, once, under
target/orchestrators; Spark needs Java 17.
"""

import argparse
import hashlib
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "outside"))

import harness  # noqa: E402

GROUPS = ["declared", "dagster_asset", "airflow_dag", "spark_backfill", "killed_backfill"]


def environment(folder):
    """The interpreter of an environment with what requirements.txt asks for; made anew where that has changed."""
    wanted = HERE / "requirements.txt"
    made_of, of = folder / ".made-of", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not made_of.is_file() or made_of.read_text() != of:
        start = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", wanted], check=True)
        made_of.write_text(of)
        print(f"-- environment: {time.monotonic() - start:.0f} s", flush=True)
    return folder / "bin/python"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    p.add_argument("--bin", default=harness.REPO / "target/release/lakeward", type=pathlib.Path)
    p.add_argument("--work", default=harness.REPO / "target/orchestrators/work", type=pathlib.Path)
    p.add_argument("--venv", default=harness.REPO / "target/orchestrators/venv", type=pathlib.Path)
    a = p.parse_args()
    if unknown := set(a.groups) - set(GROUPS):
        p.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if not a.bin.is_file():
        p.error(f"no binary at {a.bin}: cargo build --release")
    venv = a.venv.resolve()
    python = environment(venv)
    if pathlib.Path(sys.prefix).resolve() != venv:
        os.execv(python, [str(python), *sys.argv])
    work = a.work.resolve()
    # The examples call it by its name.
    on_path = harness.fresh(work / "bin")
    shutil.copy2(a.bin, on_path / "lakeward")
    lakeward = harness.Lakeward(on_path / "lakeward", {
        "PATH": f"{on_path}:{venv / 'bin'}:{os.environ['PATH']}", "GATEWAY_TOKEN": "t0ken", "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ},
    })
    report, begun = harness.Report(), time.monotonic()
    for group in a.groups or GROUPS:
        report.group, start = group, time.monotonic()
        print(f"-- {group}", flush=True)
        try:
            importlib.import_module(group).run(report, lakeward, harness.fresh(work / group))
        except Exception as e:  # an orchestrator that does not start fails its group, not the rest
            with report.check("the group ends"):
                raise AssertionError(f"{type(e).__name__}: {e}") from e
        print(f"-- {group}: {time.monotonic() - start:.0f} s", flush=True)
    print(f"-- all: {time.monotonic() - begun:.0f} s", flush=True)
    report.total()
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
