"""The same documents wherever the tasks run, and however often a run was stopped."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gemma_ko_lib import corpus
from gemma_ko_lib.corpus import CleanSettings, pipeline
from gemma_ko_lib.runtime import UserError, only_process

SETTINGS = CleanSettings(hold_out=0.2)


@pytest.fixture(autouse=True)
def _a_task_a_file(monkeypatch):
    monkeypatch.setattr(pipeline, "_TASK_BYTES", 1)


@pytest.fixture
def raw(tmp_path):
    """Six files whose documents repeat each other, exactly and nearly."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(6):
        body = " ".join(f"{number % 3}번째 이야기의 {i}번째 문장이다." for i in range(40))
        lines = [
            {"id": f"{number}-a", "text": f"{body} 그리고 끝이 났다."},
            {"id": f"{number}-b", "text": f"{body} 그리고 끝이 났다!{number}"},
            {"id": f"{number}-c", "text": "늘 같은 인사말입니다."},
            {"id": f"{number}-d", "text": f"{number}번 손님 전화는 010-1234-567{number}입니다."},
        ]
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (folder / f"part-{number}.jsonl").write_text(text, "utf-8")
    return folder


def contents(folder):
    """All that a run leaves, but for its own times."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jsonl*")}
    report = json.loads((folder / "report.json").read_text("utf-8"))
    return files, {k: v for k, v in report.items() if k not in ("seconds", "mb_per_second")}


@pytest.fixture
def expected(raw, tmp_path):
    report = corpus.clean(raw, tmp_path / "local", SETTINGS, progress=False)
    assert report["documents"]["in"] == 24
    duplicates = next(step for step in report["steps"] if step["name"] == "duplicates")
    assert duplicates["exact"] >= 5
    assert duplicates["near"] >= 3
    return contents(tmp_path / "local")


# Ray gives each of its processes some seconds to start; on two busy cores they need longer.
RAY_WAITS = {
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_gcs_server_port_wait_time_s": "300",
}


@pytest.fixture
def ray_cluster(monkeypatch):
    ray = pytest.importorskip("ray")
    for name, value in RAY_WAITS.items():
        monkeypatch.setenv(name, value)
    ray.init(
        num_cpus=2,
        object_store_memory=100_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same_documents(raw, tmp_path, monkeypatch, ray_cluster):
    # Ray starts a process for each task: two of three files are enough here.
    size = sum(path.stat().st_size for path in raw.iterdir())
    monkeypatch.setattr(pipeline, "_TASK_BYTES", size // 2)
    corpus.clean(raw, tmp_path / "ray", SETTINGS, 2, "ray", progress=False)
    corpus.clean(raw, tmp_path / "local", SETTINGS, progress=False)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert len(list((tmp_path / "ray").glob("documents-*"))) == 2


# A cluster of one: jobs run where and when they are handed in.
SBATCH = """
#!/bin/bash
set -e
script="${@: -1}"
echo "$*" >> "$CLUSTER/calls"
cp "$script" "$CLUSTER/$(wc -l < "$CLUSTER/calls").sh"
bash -n "$script"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
for id in $(seq 0 "${last:-0}"); do
  SLURM_ARRAY_TASK_ID=$id SLURM_JOB_ID=1 SLURM_NODELIST=here bash "$script" \\
    >> "$CLUSTER/log" 2>&1
done
echo "Submitted batch job $(wc -l < "$CLUSTER/calls")"
"""
SRUN = '#!/bin/bash\nwhile [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done\nexec "$@"\n'
SCONTROL = '#!/bin/bash\necho "$3"\n'


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    folder = tmp_path / "cluster"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(script.lstrip())
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CLUSTER", str(folder))
    return folder


@pytest.mark.slow
def test_slurm_jobs_run_to_the_same_documents(raw, tmp_path, expected, cluster):
    slurm = {"partition": "cpu", "time": "02:00:00", "account": "korean"}
    found = corpus.clean(raw, tmp_path / "slurm", SETTINGS, 2, "slurm", slurm, progress=False)
    assert contents(tmp_path / "slurm") == expected, (cluster / "log").read_text()
    calls = (cluster / "calls").read_text().splitlines()
    # Each stage is followed by datatrove's own job that adds its counters up.
    stages = calls[::2]
    assert len(found["jobs"]) == len(stages) == 5
    for call, job in zip(stages[1:], found["jobs"], strict=False):
        assert f"--dependency=afterok:{job} " in call
    script = (cluster / "1.sh").read_text()
    for option in ("partition=cpu", "time=02:00:00", "account=korean", "array=0-5%2"):
        assert f"#SBATCH --{option}\n" in script
    assert str(Path(sys.executable).parent) in script


def test_slurm_says_what_it_needs(raw, tmp_path, cluster, monkeypatch):
    with pytest.raises(UserError, match="--slurm partition=NAME"):
        corpus.clean(raw, tmp_path / "out", SETTINGS, 1, "slurm", progress=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="sbatch, which is not on this machine"):
        corpus.clean(raw, tmp_path / "out", SETTINGS, 1, "slurm", progress=False)


KILLED = """
    import os, signal
    from gemma_ko_lib import corpus
    from gemma_ko_lib.corpus import pipeline, {module} as module
    pipeline._TASK_BYTES = 1
    whole, seen = module.{name}, []
    def dying(*arguments, **settings):
        seen.append(1)
        if len(seen) == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **settings)
    module.{name} = dying
    corpus.clean({raw!r}, {out!r}, corpus.CleanSettings(hold_out=0.2), progress=False)
"""


@pytest.mark.parametrize(
    ("module", "name", "after", "tasks_done"),
    [
        ("blocks", "clean_text", 10, 2),  # while reading
        ("duplicates", "_proposed_pairs", 5, 6),  # while matching
        ("blocks", "is_held_out", 3, 6 + 1 + 1),  # while writing
        ("pipeline", "move_into_place", 1, 6 + 1 + 1 + 6),  # with the last step to go
    ],
)
def test_a_run_that_was_killed_goes_on_and_gives_the_same(
    raw, tmp_path, expected, capsys, module, name, after, tasks_done
):
    out = tmp_path / "out"
    script = KILLED.format(module=module, name=name, after=after, raw=str(raw), out=str(out))
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert died.returncode == -9, died.stderr.decode()
    with pytest.raises(UserError, match="no finished folder"):
        corpus.read_clean(out)
    corpus.clean(raw, out, SETTINGS)
    assert f"Going on with the stopped run: {tasks_done} tasks" in capsys.readouterr().err
    assert contents(out) == expected
    assert not (out / ".partial").exists()


def test_the_seconds_of_a_stopped_run_count_up_to_its_last_task(tmp_path):
    done = tmp_path / "logs/clean/completions/00000"
    done.parent.mkdir(parents=True)
    assert pipeline._seconds_before(tmp_path) == 0
    started = time.time()
    for seconds, expected in ((100, 100), (50, 150), (-20, 150)):
        # Since the process before this one began.
        done.touch()
        os.utime(done, (started + seconds,) * 2)
        assert pipeline._seconds_before(tmp_path) == pytest.approx(expected, abs=5)


def test_other_settings_or_a_changed_file_start_from_nothing(raw, tmp_path, capsys):
    out = tmp_path / "out"
    script = KILLED.format(module="blocks", name="clean_text", after=10, raw=str(raw), out=str(out))
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert (out / ".partial" / "plan.json").is_file()
    corpus.clean(raw, out, CleanSettings(hold_out=0.3))
    assert "Going on" not in capsys.readouterr().err


def test_two_runs_into_one_folder_at_once_are_refused(raw, tmp_path):
    with (
        only_process(tmp_path / "out"),
        pytest.raises(UserError, match="Another process is writing"),
    ):
        corpus.clean(raw, tmp_path / "out", SETTINGS, progress=False)
