"""README.md of an exported model, written from what its run has kept."""

import json
from pathlib import Path

from gemma_ko_lib import runtime
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.training.run_log import read_log

CARD_BEGINS = "---\nlanguage: [ko, en]\n"
_TERMS = (
    "It is derived from Gemma. Gemma is provided under and subject to the Gemma Terms of Use found "
    "at ai.google.dev/gemma/terms; who passes this model on passes these terms on, says that it "
    "was modified, and keeps the file NOTICE with it."
)
_USE = {
    "hf": """```
from transformers import pipeline
print(pipeline("text-generation", "{folder}")("한국의 수도는", max_new_tokens=32))
```

```
vllm serve {folder} --max-model-len 4096           # a GPU, or a TPU (pip install vllm-tpu)
python convert_hf_to_gguf.py {folder}              # llama.cpp; or gemma-ko export --format gguf
```
""",
    "gguf": """```
gemma-ko serve {folder}
llama-server -m {folder}/{file} -c 4096
ollama create {name} -f {folder}/Modelfile && ollama run {name}
```

For another type, also a K-quant: `gemma-ko export RUN -o {folder} --format gguf --type q4_k_m`.
""",
    "keras": """```
import keras_hub
model = keras_hub.models.CausalLM.from_preset("{folder}")
```
""",
    "peft": """```
from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained("{folder}")
```
""",
}


def write_card(model: Model, run: Path, folder: Path, format: str, file: str = "") -> str:
    """The text of README.md.

    Args:
        model: what is exported.
        run: the folder that it comes from; its config.json, summary.json, metrics.jsonl and
            evaluation.json (of `gemma-ko evaluate --json`) are read where they are there, and what
            a road has measured of it.
        folder: where it goes to, for what to type.
        format: "hf", "gguf", "keras" or "peft".
        file: name of the GGUF file.
    """
    settings, summary = (read_noted(run / name) for name in ("config.json", "summary.json"))
    derived = "Gemma Terms" in model.notice
    head = [*CARD_BEGINS.splitlines(), "pipeline_tag: text-generation"]
    head += ["license: gemma"] if derived else []
    head += ["library_name: transformers"] if format == "hf" else []
    name = Path(model.name).resolve().name
    lines = [*head, "---", "", f"# {name}", ""]
    kept = sum(value.size for value in model.params.values())
    lines += [f"- Parameters: {kept:,}; vocabulary: {model.config['vocabulary_size']:,} pieces"]
    if settings.get("command"):
        about = settings.get("size") or {}
        lines += [
            f"- Made with: `gemma-ko {settings['command']}`, method `{_plain(settings['method'])}`",
            f"- Base: `{settings['model']}`",
            f"- Data: {_said(settings.get('sources'))}; SHA-256 `{_plain(settings['data'])}`",
            *_earlier_data(settings["model"]),
            f"- Size of the run: `{_plain({k: v for k, v in about.items() if v is not None})}`",
        ]
    lines += [f"- {key}: {_plain(value)}" for key, value in summary.items() if _short(value)]
    lines += [f"- {line}" for line in _measured(run)]
    if figures := _evaluated(run):
        lines += ["", "## Figures", "", "With 95% intervals.", "", *figures]
    lines += ["", "## Licence", "", _TERMS if derived else "The licence of its maker applies."]
    use = _USE[format].format(folder=folder, file=file, name=name.lower())
    lines += ["", "## Use", "", use]
    return "\n".join(lines)


def _said(sources: list[dict] | None) -> str:
    """The corpora of a run with their licences, and what whoever passes the model on must say."""
    ask = "say here what {} and {} licence"
    return "; ".join(
        f"{source['corpus']} (licence: {source['licence']}; {source.get('source', '')})"
        if "licence" in source
        else f"{source['corpus']}: {ask.format('they are', 'their')}"
        for source in sources or ()
    ) or ask.format("it is", "its")


def _earlier_data(model: str) -> list[str]:
    """Data of the runs that a run started from, where their folders are there."""
    lines, seen = [], set()
    while model not in seen:
        seen.add(model)
        settings = read_noted(Path(model) / "config.json")
        if not settings.get("command"):
            break
        lines.append(f"- Data of `{Path(model).name}`: {_said(settings.get('sources'))}")
        model = settings["model"]
    return lines


def _evaluated(run: Path) -> list[str]:
    """What was measured of a run: on texts, and with suites of questions."""
    files = {"held-out texts": run / "evaluation.json"}
    # A road measures each of its stations beside it.
    road = run.resolve().parent / "evaluate"
    end = f"-{run.resolve().name}.json"
    files |= {path.name.removesuffix(end): path for path in sorted(road.glob(f"*{end}"))}
    lines = []
    for name, path in files.items():
        found = read_noted(path)
        if "bits_per_byte" in found:
            span = _span(found.get("interval"), "{:.3f}")
            figure = f"{found['bits_per_byte']:.3f}{span} bits per byte"
            lines.append(f"- {name}: {figure} ({found['documents']:,} documents)")
        for suite in found.get("suites", ()):
            span = _span(suite.get("interval"), "{:.1%}")
            lines.append(
                f"- {suite['suite']}: {suite['accuracy']:.1%}{span} right of {suite['items']:,}"
            )
    return lines


def _span(interval: list[float] | None, form: str) -> str:
    return f" ({'–'.join(map(form.format, interval))})" if interval else ""


def read_noted(path: Path) -> dict:
    """What a run has noted in a JSON file; nothing for a model that does not come from a run."""
    try:
        return runtime.read_json_object(path)
    except (OSError, ValueError):
        return {}


def _plain(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value) -> bool:
    return len(_plain(value)) < 200 and value != []


def _measured(run: Path) -> list[str]:
    """Tokens that a run has learnt from, and its last measurement of held-out text."""
    last, tokens = {}, 0.0
    for figures in read_log(run):
        tokens += figures.get("tokens", 0.0)
        last |= figures
    measured = [
        f"{key}: {_plain(value)} (after {last.get('step')} updates)"
        for key, value in last.items()
        if "bits_per_byte" in key or "held_out" in key
    ]
    return [f"tokens: {tokens:,.0f}"] * bool(tokens) + measured
