"""Runs tasks of lm-evaluation-harness on the course's models.

    results = harness.evaluate(model, ["kmmlu", "haerae", "click"])

The adapter answers the harness' three kinds of request with the course's own functions, so that a
task run here and a suite of `gemma-ko evaluate` give the same numbers on the same items. Every text
gets one BOS, which Gemma needs and must not see twice. This needs the extra `lm-eval`, and a task's
data from the hub that it names or from local files.
"""

import functools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gemma_ko_lib.evaluation.choices import encode_pairs, score_continuations
from gemma_ko_lib.evaluation.decoding import generate
from gemma_ko_lib.evaluation.results import macro_f1
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import UserError

try:
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
except ImportError as error:
    raise UserError(
        "lm-evaluation-harness is not installed: pip install 'gemma-ko[lm-eval]', or in a checkout "
        "pip install -c constraints.txt -e '.[lm-eval]'."
    ) from error

MAX_NEW_TOKENS = 256


class HarnessModel(LM):
    """A model of the course as the harness sees it.

    Args:
        model: as from `models.load`.
        params: weights to use instead of the model's own.
        max_length: tokens that a rolling window holds.
    """

    def __init__(self, model: Model, params: dict | None = None, max_length: int = 2048):
        super().__init__()
        self._model, self._params, self._max_length = model, params, max_length

    def loglikelihood(self, requests, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-likelihood in nats, whether greedy) of each continuation."""
        pairs = encode_pairs(self._model.tokenizer, [request.args for request in requests])
        scores = self._score(pairs, disable_tqdm)
        return [(score.nats, score.greedy) for score in scores]

    def loglikelihood_rolling(self, requests, disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, in windows that meet in one token; BOS begins each."""
        tokenizer, pairs, owners = self._model.tokenizer, [], []
        encoded = tokenizer.encode([request.args[0] for request in requests])
        for owner, ids in enumerate(encoded):
            # One place less, for the BOS that the harness puts before the first window only.
            windows = get_rolling_token_windows(ids, tokenizer.bos_id, self._max_length - 1, 1)
            for number, (context, rest) in enumerate(map(make_disjoint_window, windows)):
                pairs.append(([tokenizer.bos_id, *context] if number else context, rest))
                owners.append(owner)
        totals = [0.0] * len(requests)
        for owner, score in zip(owners, self._score(pairs, disable_tqdm), strict=True):
            totals[owner] += score.nats
        return totals

    def generate_until(self, requests, disable_tqdm: bool = False) -> list[str]:
        """Greedy text of each request, up to the first of its stop strings."""
        tokenizer = self._model.tokenizer
        by_limit: dict[int, list[int]] = {}
        for number, request in enumerate(requests):
            _, options = request.args
            if options.get("do_sample") or options.get("temperature"):
                raise UserError(
                    f"The task {request.task_name} asks for sampling ({options}); the adapter is "
                    "greedy. Give gen_kwargs do_sample=False."
                )
            by_limit.setdefault(options.get("max_gen_toks", MAX_NEW_TOKENS), []).append(number)
        encoded = tokenizer.encode([request.args[0] for request in requests])
        texts = [""] * len(requests)
        for limit, numbers in by_limit.items():
            prompts = [[tokenizer.bos_id, *encoded[number]] for number in numbers]
            found = generate(
                self._model, prompts, limit, params=self._params, stop_ids=(tokenizer.eos_id,)
            )
            for number, ids in zip(numbers, found, strict=True):
                until = requests[number].args[1].get("until") or ()
                texts[number] = _before(tokenizer.decode(ids), until)
        return texts

    def _score(self, pairs, quiet: bool):
        return score_continuations(self._model, pairs, params=self._params, progress=not quiet)


def _before(text: str, until: str | Sequence[str]) -> str:
    """The text up to the first of the stop strings."""
    for stop in [until] if isinstance(until, str) else until:
        text = text.split(stop)[0] if stop else text
    return text


def evaluate(
    model: Model,
    tasks: Sequence[str],
    *,
    data: str | Path | None = None,
    params: dict | None = None,
    **options,
) -> dict:
    """Run tasks of the harness.

    Args:
        model: as from `models.load`.
        tasks: their names in the harness.
        data: a folder with {task}.jsonl for each, instead of the hub; {task}_few_shot.jsonl is
            where its few-shot examples are drawn from.
        params: weights to use instead of the model's own.
        options: of `lm_eval.simple_evaluate`: limit, num_fewshot, …

    Returns:
        The harness' results: figures of each task under "results".

    Raises:
        UserError: a task that the harness does not know, or data that cannot be had.

    Example:
        >>> from gemma_ko_lib import models
        >>> item = {"premise": "비가 왔다.", "question": "결과", "label": 0}
        >>> item |= {"alternative_1": "땅이 젖었다.", "alternative_2": "해가 떴다."}
        >>> _ = Path("kobest_copa.jsonl").write_text(json.dumps(item), "utf-8")
        >>> found = evaluate(models.load("nano"), ["kobest_copa"], data=".")
        >>> found["results"]["kobest_copa"]["acc,none"] in (0.0, 1.0)
        True
    """
    manager = _task_manager()
    for task in tasks:
        if task not in manager.task_index:
            raise UserError(f"lm-evaluation-harness has no task '{task}'; see lm_eval ls tasks.")
    with tempfile.TemporaryDirectory() as scratch:
        specs = list(tasks)
        if data is not None:
            specs = [
                _local(manager, task, Path(data).expanduser(), Path(scratch)) for task in tasks
            ]
        try:
            found = lm_eval.simple_evaluate(
                model=HarnessModel(model, params),
                tasks=specs,
                task_manager=manager,
                bootstrap_iters=0,
                log_samples=True,
                **options,
            )
        except OSError as error:  # the hub's and the connection's errors are among these
            raise UserError(
                f"No data for {', '.join(tasks)} ({error}). It comes from a hub; without a "
                "network give a folder with {task}.jsonl for each task (--data DIR)."
            ) from error
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            raise UserError(
                f"The data of {', '.join(tasks)} cannot be loaded from the hub: they are read by a "
                f"program there, and datasets runs none since its version 4 ({error}). Give a "
                "folder with {task}.jsonl for each task (--data DIR)."
            ) from error
        except KeyError as error:
            if data is None:
                raise
            raise UserError(
                f"A file in {data} has no field {error}: the harness' own tasks read the fields "
                "that the hub's files have. KoBEST's and the other suites of `gemma-ko evaluate` "
                "are also read in their other layouts, by their names without lm_eval:."
            ) from error
    for task, samples in found["samples"].items():
        if data is not None and task.startswith("kobest_"):
            found["results"][task]["macro_f1,none"] = _macro_f1(samples)
    return found


def _macro_f1(samples: Sequence[dict]) -> float:
    """KoBEST's own measure, which the harness takes from a hub; of samples with choices."""
    answers, chosen = [], []
    for sample in samples:
        nats = [float(response[0]) for response in sample["filtered_resps"]]
        chosen.append(nats.index(max(nats)))
        target = str(sample["target"])
        choices = [continuation.strip() for _, continuation in sample["arguments"]]
        answers.append(choices.index(target.strip()) if target.strip() in choices else int(target))
    return macro_f1(answers, chosen)


@functools.cache  # it reads the harness' 14,000 descriptions, which takes a while
def _task_manager() -> TaskManager:
    return TaskManager()


def _local(manager: TaskManager, task: str, data: Path, scratch: Path) -> str:
    """The task's own description, with its data from files."""
    source = manager.task_index[task].yaml_path
    file, shots = data / f"{task}.jsonl", data / f"{task}_few_shot.jsonl"
    if not file.is_file() or source is None:
        raise UserError(
            f"{file} is missing: with --data each task has a file of its name. A group such as "
            "kmmlu is given by its tasks, kmmlu_accounting and so on."
        )
    files = {"test": str(file)} | ({"few_shot": str(shots)} if shots.is_file() else {})
    description = {
        "include": str(source),
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
        "training_split": None,
        "validation_split": None,
        "test_split": "test",
        "fewshot_split": "few_shot" if shots.is_file() else None,
        # Others (KoBEST's F1) load their code from a hub.
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    path = scratch / f"{task}.yaml"
    path.write_text(json.dumps(description), "utf-8")  # JSON is YAML
    return str(path)
