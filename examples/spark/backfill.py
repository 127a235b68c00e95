"""A long backfill over a Spark cluster: each window a task that runs lakeward; then the same job reads the lake.

    spark-submit --conf spark.speculation=true backfill.py gateway.yaml payments \\
        --lake s3://bucket/raw --from 2026-03-01 --to 2026-06-01

`lakeward`, the source file and the credentials must be where the executors are (a wheel or image, `--files`,
`spark.executorEnv.*`). Spark may run a window twice, retry it or lose the executor under it: the manifests let one
attempt commit, and the next goes on from the last checkpoint.
"""

import argparse
import ctypes
import json
import signal
import subprocess
import sys
import time

HELD = 9
PASSING = {5, 6, 130, 143}  # the API or the lake is away for now; the run was stopped
PR_SET_PDEATHSIG = 1


def lakeward(args):
    """Runs the binary; its exit code and stdout."""
    # Where Spark ends the Python worker, SIGTERM has lakeward save a checkpoint. In a group of its own, since Spark's
    # daemon, when its executor is lost, sends its whole group a signal that would end lakeward without one.
    libc = ctypes.CDLL(None)
    ran = subprocess.run(["lakeward", *args], stdout=subprocess.PIPE, text=True, start_new_session=True,
                         preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
    return ran.returncode, ran.stdout


def extract(window):
    """One window, in an executor: what came of it."""
    while True:
        code, out = lakeward([*window["args"], "--log", "json", "--report", "json"])
        if code != HELD:
            break
        # Another attempt has it. To come back at once would count as done, and Spark would end the one that works.
        time.sleep(2)
    if code in PASSING or code < 0:
        raise RuntimeError(f"exit {code}: Spark tries it again")
    # The other exits would be the same at every attempt, so they are results.
    (of,) = json.loads(out)["windows"] if out else ({},)
    return {"window": window["window"], "exit": code, "counts": of.get("counts"), "error": of.get("error")}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("source")
    p.add_argument("stream")
    for name in ("lake", "from", "to"):
        p.add_argument(f"--{name}", required=True)
    p.add_argument("--every", default="1d")
    a = p.parse_args()
    code, out = lakeward(["plan", a.source, a.stream, "--lake", a.lake, "--from", getattr(a, "from"), "--to", a.to, "--every", a.every])
    if code != 0:
        return code
    windows = json.loads(out)["windows"]
    missing = [w for w in windows if w["state"] != "committed"]

    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    spark = SparkSession.builder.appName(f"lakeward {a.stream}").getOrCreate()
    ended = spark.sparkContext.parallelize(missing, max(len(missing), 1)).map(extract).collect()
    failed = [w for w in ended if w["exit"] != 0]
    rows = spark.read.parquet(f"{a.lake}/{windows[0]['table']}").groupBy("date").agg(f.count("*").alias("rows")).orderBy("date").collect()
    print(json.dumps({"windows": len(windows), "extracted": len(ended), "failed": failed,
                      "rows": {str(r["date"]): r["rows"] for r in rows}}))
    spark.stop()
    return failed[0]["exit"] if failed else 0


if __name__ == "__main__":
    sys.exit(main())
