"""examples/kubernetes, systemd and container: by their published schemas, and the CronJob's container as its pod would run it."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import days_api
import harness
import lake_checks

KUBERNETES = harness.REPO / "examples/kubernetes"


def loaded(name):
    import yaml

    return yaml.safe_load((KUBERNETES / name).read_text())


def lost(asked, taken, path=""):
    """The paths of a document that its schema's types do not know."""
    if isinstance(asked, dict):
        return [p for k, v in asked.items() for p in (lost(v, taken[k], f"{path}/{k}") if k in taken else [f"{path}/{k}"])]
    if isinstance(asked, list):
        return [p for n, (a, t) in enumerate(zip(asked, taken, strict=True)) for p in lost(a, t, f"{path}/{n}")]
    return [] if asked == taken else [path]


def restricted(pod, container):
    """Fails unless the pod is one of the `restricted` standard, with a read-only root and time for a checkpoint."""
    of_pod, of_container = pod["securityContext"], container["securityContext"]
    assert of_pod["runAsNonRoot"] and of_pod["runAsUser"] > 0 and of_pod["seccompProfile"]["type"] == "RuntimeDefault", of_pod
    assert of_container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, of_container
    assert pod["terminationGracePeriodSeconds"] >= 30, pod


def kubernetes(report):
    import kubernetes_validate
    from hera.workflows.models import Workflow

    with report.check("the CronJob by the schemas of Kubernetes, nothing unknown, restricted") as facts:
        cron = loaded("cronjob.yaml")
        version = kubernetes_validate.latest_version()
        kubernetes_validate.validate(cron, version, strict=True)
        pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        restricted(pod, pod["containers"][0])
        facts.append(f"version {version}")
    with report.check("the Workflow by the types of Argo's schema, its pods by those of Kubernetes") as facts:
        argo = loaded("argo-backfill.yaml")
        taken = lambda document: json.loads(Workflow.model_validate(document).model_dump_json(by_alias=True, exclude_unset=True))
        assert not lost(argo, taken(argo)), lost(argo, taken(argo))
        wrong = json.loads(json.dumps(argo))
        wrong["spec"]["templates"][0]["dag"]["tasks"][0]["dependsOn"] = "x"
        assert lost(wrong, taken(wrong)), "an unknown key is not seen"
        pods = [t["container"] for t in argo["spec"]["templates"] if "container" in t]
        for container in pods:
            spec = {k: argo["spec"][k] for k in ("securityContext", "volumes", "automountServiceAccountToken")} | json.loads(argo["spec"]["podSpecPatch"])
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec | {"containers": [{"name": "main", **container}]}}
            kubernetes_validate.validate(pod, version, strict=True)
            restricted(spec, container)
        names = {t["name"] for t in argo["spec"]["templates"]}
        used = [t for of in argo["spec"]["templates"] for t in [*of.get("dag", {}).get("tasks", []), *sum(of.get("steps", []), [])]]
        assert {t["template"] for t in used} | {argo["spec"]["entrypoint"], argo["spec"]["onExit"]} == names, names
        facts.append(f"{len(pods)} pods")


def container(report):
    with report.check("hadolint has nothing to say of the Containerfile, whose image does not run as root") as facts:
        file = harness.REPO / "examples/container/Containerfile"
        said = subprocess.run([pathlib.Path(sys.executable).parent / "hadolint", file], capture_output=True, text=True)
        assert said.returncode == 0, said.stdout
        assert "USER 65532:65532" in file.read_text().splitlines()
        facts.append("not built")


def as_in_its_pod(report, lakeward, work):
    """The CronJob's arguments as its user, with a read-only root: to the end, and told to end within the grace."""
    pod = loaded("cronjob.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = pod["securityContext"]["runAsUser"]
    with days_api.serving() as api, report.check(f"the CronJob's container as user {user} with a read-only root: exit 0; SIGTERM: 143 in time, then the rest") as facts:
        if os.getuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
            raise harness.Skip("needs root, unshare and setpriv")
        source, lake = api.write_source(work / "declared"), harness.fresh(work / "lake")
        os.chown(lake, user, user)
        args = [{"/etc/lakeward/gateway.yaml": str(source), "s3://bucket/raw": str(lake)}.get(a, a) for a in container["args"]]
        assert str(source) in args and str(lake) in args, args
        inside = f'mount --bind "{lake}" "{lake}" && mount -o remount,bind,ro / && ! touch /.x 2> /dev/null && exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs --bounding-set=-all "$0" "$@"'
        by = ["unshare", "--mount", "sh", "-c", inside]
        if subprocess.run([*by, lakeward.binary, "--version"], capture_output=True).returncode != 0:
            raise harness.Skip("no mounts here, or this folder is not for other users")
        api.delay = 0.5
        p = lakeward.start(*args, by=by)
        lake_checks.until(lambda: len(api.asked) >= 9, "ninth page", beside=p)
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=pod["terminationGracePeriodSeconds"])
        assert p.returncode == 143, f"exit {p.returncode}\n{err[-1500:]}"
        api.delay = 0.0
        ran = lakeward.run(*args, by=by).expect()
        windows = ran.report["windows"]
        days = [int((harness.dt.datetime.fromisoformat(w["window"]["start"]) - days_api.FIRST).days) for w in windows]
        facts.append(lake_checks.exact(lakeward, lake, api.truth(days), 3))


def systemd(report, lakeward, work):
    with report.check("systemd-analyze verify has nothing to say of the units") as facts:
        if not shutil.which("systemd-analyze"):
            raise harness.Skip("no systemd-analyze here")
        for unit in sorted((harness.REPO / "examples/systemd").iterdir()):
            (work / unit.name).write_text(unit.read_text().replace("/usr/local/bin/lakeward", lakeward.binary))
        units = sorted(map(str, [*work.glob("*.service"), *work.glob("*.timer")]))
        said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
        own = [line for line in said.stderr.splitlines() if "lakeward" in line]
        assert len(units) == 2 and said.returncode == 0 and not own, said.stderr
        exposure = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", units[0]], capture_output=True, text=True)
        assert exposure.returncode == 0, exposure.stdout[-600:]
        facts.append(exposure.stdout.strip().splitlines()[-1].removeprefix("→ "))


def readme(report):
    with report.check("what the README shows of the examples is what they are") as facts:
        shown = 0
        for section in re.split(r"^### ", (harness.REPO / "README.md").read_text(), flags=re.M):
            if section.startswith("Run it "):
                files = [harness.REPO / link for link in re.findall(r"\((examples/[^)]+)\)", section)]
                for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", section, flags=re.M | re.S):
                    assert any(block in f.read_text() for f in files), f"in none of {files}:\n{block}"
                    shown += 1
        assert shown >= 5, shown
        facts.append(f"{shown} excerpts")


def run(report, lakeward, work):
    readme(report)
    kubernetes(report)
    systemd(report, lakeward, work)
    container(report)
    as_in_its_pod(report, lakeward, work)
