"""Gemma 3 270M on the whole road: petitions in, a served model out, killed in six steps.

    python -m data_samples.makers.recorded.road PETITIONS.jsonl

The texts are those of the Blue House's petitions (open:petitions fetches them). The road is
killed by SIGKILL once in each of six steps and run again; then its trainings are made once more
without a stop, and their weights compared. Figures, exported files and answers are not compared,
and no chat and no questions are killed; tests/test_road.py kills every step, on nano.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from data_samples.makers.recorded import WORK, save
from gemma_ko_lib.runtime import samples_dir, sha256_of, write_json

_YAML = """\
model: {model}
hourly_rate: 0.20
currency: USD

clean:
  inputs: [petitions.jsonl]
  hold_out: 0.03

vocabulary:
  {vocabulary}

pretrain:
  tokens: {tokens}
  update_tokens: 512
  length: 256
  learning_rate: {rate}

finetune:
  data: {samples}/instructions.jsonl
  tokens: {answers}
  update_tokens: 512
  length: 256
"""
_MEASURED = """
evaluate:
  text:
    English: {samples}/en
  documents: {documents}
  suite: [korean, grammar_en]
  items: {items}

serve:
  answer_tokens: 64
  ask:
    - 비가 오는 날에는 무엇을 하면 좋을까?
    - 학교 급식을 더 좋게 하려면 어떻게 해야 할까요?
    - 국민청원을 쓸 때 무엇을 조심해야 해요?
"""
_STAGES = ("clean", "vocabulary", "pretrain", "finetune", "held-out, base", "export, base")
_TRAININGS = ("pretrain", "finetune")
_REAL = {
    "vocabulary": "pieces: 32k",
    "tokens": 8192,
    "rate": 2.0e-5,
    "answers": 4096,
    "documents": 16,
    "items": 30,
}
_TINY = {
    "vocabulary": "add: 64",
    "tokens": 2048,
    "rate": 3.0e-3,
    "answers": 2048,
    "documents": 4,
    "items": 4,
}


def main() -> None:
    """Make the run, or go on with it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", help="a file of petitions")
    parser.add_argument("--model", default="gemma3_270m")
    parser.add_argument("--tiny", action="store_true", help="to try this program, with nano")
    arguments = parser.parse_args()
    work = WORK / ("road-tiny" if arguments.tiny else "road")
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(arguments.texts, work / "petitions.jsonl")
    sizes = _TINY if arguments.tiny else _REAL
    sizes = sizes | {"model": arguments.model, "samples": samples_dir()}
    for name, text in (("road", _YAML + _MEASURED), ("training", _YAML)):
        (work / f"{name}.yaml").write_text(text.format(**sizes), "utf-8")

    killed = _run_and_kill(work)
    whole = work / "training"
    for name in ("clean", "vocabulary"):  # the trainings start from the same
        if not (whole / name).is_dir():
            shutil.copytree(work / "road" / name, whole / name)
            (whole / "steps").mkdir(exist_ok=True)
            shutil.copy(work / "road" / "steps" / f"{name}.json", whole / "steps")
    subprocess.run(_command(work, "training"), check=True)
    same = {
        name: sha256_of(work / "road" / name / "model.safetensors")
        == sha256_of(whole / name / "model.safetensors")
        for name in _TRAININGS
    }
    print("same weights as without a stop:", same, flush=True)
    report = json.loads((work / "road" / "report.json").read_text("utf-8"))
    kept = "stations tokens hours cost hourly_rate currency bits_per_byte questions chats".split()
    results = {name: report[name] for name in kept}
    results["seconds"] = {step["name"]: step["seconds"] for step in report["steps"]}
    results["road"] = report["road"].replace(f"{samples_dir()}/", "")
    if arguments.tiny:
        return print(json.dumps(results, ensure_ascii=False)[:2000])
    save(
        "road",
        "Gemma 3 270M on the whole road: the petitions of August 2017 (청와대 국민청원, KOGL "
        "Type 1), vocabulary cut to 32k pieces, 16 updates of 512 tokens, 8 of LoRA on the "
        f"course's conversations. Killed by SIGKILL in {len(killed)} of its {len(report['steps'])} "
        "steps (no chat, no questions), and run again each time. The weights of both trainings "
        "were compared with those of a run without a stop; figures, exported files and answers "
        "were not.",
        report["hours"] * 60,
        commands=["gemma-ko road road.yaml -o road"],
        killed_in=killed,
        same_weights_as_without_a_stop=same,
        **results,
    )


def _command(work: Path, name: str) -> list[str]:
    road = [sys.executable, "-u", "-m", "gemma_ko_lib.cli", "road", str(work / f"{name}.yaml")]
    return [*road, "-o", str(work / name)]


def _run_and_kill(work: Path) -> list[str]:
    """Run the road to its end, and kill it once in each stage; the steps it was killed in."""
    note = work / "killed.json"
    killed = json.loads(note.read_text("utf-8")) if note.is_file() else []
    while True:
        process = subprocess.Popen(_command(work, "road"), stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            print(line, end="", flush=True)
            step = line.strip().partition("] ")[2]
            if step in _STAGES and step not in killed:
                _wait_until_it_works(work / "road" / step, step, process)
                process.send_signal(signal.SIGKILL)
                if process.wait() == -signal.SIGKILL:
                    killed.append(step)
                    print(f"--- killed in {step}", flush=True)
                    write_json(note, killed)
                break
        code = process.wait()
        if code == 0:
            return killed
        if code != -signal.SIGKILL:
            raise SystemExit(code)


def _wait_until_it_works(folder: Path, step: str, process) -> None:
    """Until a training has left a checkpoint, and half a second for the others."""
    deadline = time.monotonic() + 300
    while step in _TRAININGS and process.poll() is None and time.monotonic() < deadline:
        if any(path.name.isdigit() for path in (folder / "checkpoints").glob("*")):
            break
        time.sleep(0.2)
    time.sleep(0.5)


if __name__ == "__main__":
    main()
