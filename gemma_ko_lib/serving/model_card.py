"""README.md of an exported model, written from what its run has kept."""

import json
from pathlib import Path

from gemma_ko_lib import runtime
from gemma_ko_lib.models.model import Model

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
vllm serve {folder} --max-model-len 4096           # a GPU, or a TPU with vLLM's own image
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
        run: the folder that it comes from; its config.json, summary.json and metrics.jsonl are
            read where they are there.
        folder: where it goes to, for what to type.
        format: "hf", "gguf", "keras" or "peft".
        file: name of the GGUF file.
    """
    settings, summary = (_read(run / name) for name in ("config.json", "summary.json"))
    derived = "Gemma Terms" in model.notice
    head = ["---", "language: [ko, en]", "pipeline_tag: text-generation"]
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
            f"- Data: SHA-256 `{_plain(settings['data'])}`; say here what it is and its licence",
            f"- Size of the run: `{_plain({k: v for k, v in about.items() if v is not None})}`",
        ]
    lines += [f"- {key}: {_plain(value)}" for key, value in summary.items() if _short(value)]
    lines += [f"- {line}" for line in _measured(run / "metrics.jsonl")]
    lines += ["", "## Licence", "", _TERMS if derived else "The licence of its maker applies."]
    use = _USE[format].format(folder=folder, file=file, name=name.lower())
    lines += ["", "## Use", "", use]
    return "\n".join(lines)


def _read(path: Path) -> dict:
    try:
        return runtime.read_json_object(path)
    except (OSError, ValueError):  # a model need not come from a run
        return {}


def _plain(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value) -> bool:
    return len(_plain(value)) < 200 and value != []


def _measured(path: Path) -> list[str]:
    """Tokens that a run has learnt from, and its last measurement of held-out text."""
    if not path.is_file():
        return []
    last, tokens = {}, 0.0
    for _, line in runtime.numbered_lines(path):
        figures = runtime.json_object(line)
        tokens += figures.get("tokens", 0.0)
        last |= figures
    measured = [
        f"{key}: {_plain(value)} (after {last.get('step')} updates)"
        for key, value in last.items()
        if "bits_per_byte" in key or "held_out" in key
    ]
    return [f"tokens: {tokens:,.0f}"] * bool(tokens) + measured
