"""Materializes days of examples/dagster one after the other by Dagster's own API; an answer a line on stdout.

    dagster_days.py DAY…
"""

import json
import sys

import dagster as dg
import lakeward_assets


def main():
    job = lakeward_assets.defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        for day in sys.argv[1:]:
            ran = job.execute_in_process(instance=instance, partition_key=day, raise_on_error=False)
            made = [{k: v.value for k, v in m.metadata.items()} for m in ran.asset_materializations_for_node("payments")]
            checks = [{"passed": c.passed, "severity": c.severity.value, **{k: v.value for k, v in c.metadata.items()}}
                      for c in ran.get_asset_check_evaluations()]
            retried = sum(e.event_type_value == "STEP_UP_FOR_RETRY" for e in ran.all_events)
            print(json.dumps({"day": day, "success": ran.success, "made": made, "checks": checks, "retried": retried}), flush=True)


if __name__ == "__main__":
    main()
