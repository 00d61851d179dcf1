"""The steps of a road: each is one command of `gemma-ko`, with what it reads and writes.

All run in the road's folder, so that their words are short and the folder can be moved.
"""

import dataclasses
import re
import shlex
from pathlib import Path

from gemma_ko_lib.cli.road_file import RoadFile
from gemma_ko_lib.runtime import UserError, sha256_of

HELD_OUT = "held-out"
_SUITES = "suites"
BASE = "base"  # the station before anything is done to the model
_TRAINING = ("vocabulary", "pretrain", "finetune")
_OF_TEXTS = ("documents", "window")


@dataclasses.dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: unique in its road.
        words: what is typed after `gemma-ko`.
        output: folder that it writes, or the JSON file that its output goes to.
        needs: steps whose results it reads.
        files: files and folders of the user that it reads, as absolute paths.
    """

    name: str
    words: list[str]
    output: str
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def prints(self) -> bool:
        """Whether the result is what it prints."""
        return self.output.endswith(".json")

    @property
    def resumes(self) -> bool:
        """Whether a stopped one goes on from what is there."""
        return self.name in ("clean", "pretrain", "finetune")

    @property
    def command(self) -> str:
        """The line that a learner can type."""
        typed = f"gemma-ko {shlex.join(self.words)}"
        return f"{typed} > {self.output}" if self.prints else typed

    def settings(self, identities: dict[str, str]) -> dict:
        """What decides its result: options, contents of files, the steps before.

        Args:
            identities: of the steps before, by name.
        """
        options: dict[str, list[str]] = {}
        key = self.words[0]
        for word in self.words[1:]:
            if word.startswith("-"):
                key = word
            # A file is known by its contents, wherever it lies.
            shown = Path(word).name if str(Path(word).resolve()) in self.files else word
            options.setdefault(key, []).extend([] if word == key else [shown])
        contents: dict[str, str] = {}
        for file in self.files:  # a/texts and b/texts have one name
            name = Path(file).name
            contents[name] = f"{contents.get(name, '')} {_digest(file)}".lstrip()
        return {
            "options": {name: " ".join(words) for name, words in options.items()},
            "files": contents,
            "after": {name: identities[name] for name in self.needs},
        }


def _digest(place: str) -> str:
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return " ".join(f"{file.relative_to(path)} {sha256_of(file)[:16]}" for file in files)
    return sha256_of(path)[:16]


@dataclasses.dataclass(frozen=True)
class Road:
    """All steps of a road.

    Attributes:
        steps: in order.
        stations: the model at each station, by the station's name, the base first.
        texts: names of the texts that bits per byte are measured on.
    """

    steps: list[Step]
    stations: dict[str, str]
    texts: list[str]

    @property
    def last(self) -> str:
        """The station at the end."""
        return list(self.stations)[-1]


def text_file(text: str, station: str) -> str:
    """Where the bits per byte of a text at a station are written."""
    return f"evaluate/{_plain(text)}-{station}.json"


def suites_file(station: str) -> str:
    """Where the answers to questions at a station are written."""
    return f"evaluate/{_SUITES}-{station}.json"


def chat_file(station: str) -> str:
    """Where the chats at a station are written."""
    return f"serve/chat-{station}.json"


def _plain(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def road_of(file: RoadFile) -> Road:
    """The steps that a road.yaml asks for.

    Raises:
        UserError: two texts that are called alike.
    """
    road = Road([], {BASE: file.model}, [])

    def add(name, words, output, needs=(), files=()):
        # The base is what the user has, and no step's result.
        own = file.model_files if BASE in needs else []
        needs = tuple(need for need in needs if need != BASE)
        road.steps.append(Step(name, words, output, needs, (*own, *files)))

    clean = file.sections["clean"]
    inputs = clean.values["inputs"]
    add("clean", ["clean", *inputs, "-o", "clean", *clean.options()], "clean", files=clean.files)
    for name in _TRAINING:
        if name not in file.sections:
            continue
        section = file.sections[name]
        words = [name, "--model", road.stations[road.last]]
        if name == "vocabulary":
            words += _vocabulary_options(section)
        elif name == "pretrain":
            words += ["--data", "clean", *section.options()]
        else:
            words += section.options()
        needs = (road.last, *(() if name == "finetune" else ("clean",)))
        add(name, [*words, "-o", name], name, needs, section.files)
        road.stations[name] = name
    if "evaluate" in file.sections:
        _add_evaluations(road, file, add)
    if "serve" in file.sections:
        _add_serving(road, file, add)
    return road


def _vocabulary_options(section) -> list[str]:
    cuts = {"pieces", "coverage", "keep_from"} & section.values.keys()
    words = []
    if cuts or "add" not in section.values:
        words += ["--keep-from", "clean", *section.values.get("keep_from", [])]
    if "add" in section.values:
        words += ["--learn-from", "clean"]
    return words + section.options(but=("keep_from",))


def _add_evaluations(road: Road, file: RoadFile, add) -> None:
    section = file.sections["evaluate"]
    texts = {HELD_OUT: ["clean/held_out"]} if "hold_out" in file.sections["clean"].values else {}
    own_texts = section.values.get("text", {})
    names = [_SUITES, *map(_plain, [*texts, *own_texts])]
    if len(set(names)) < len(names):
        raise UserError(
            f"evaluate.text: two texts would be called alike ('{HELD_OUT}' is what clean.hold_out "
            f"keeps, '{_SUITES}' are the questions). Give them other names."
        )
    texts |= own_texts
    road.texts.extend(texts)
    for text, files in texts.items():
        options = section.options(*_OF_TEXTS)
        for station, model in road.stations.items():
            words = ["evaluate", "--model", model, "--text", *files, *options, "--json"]
            needs = (station, *(("clean",) if text == HELD_OUT else ()))
            add(f"{text}, {station}", words, text_file(text, station), needs, section.files)
    if "suite" in section.values:
        options = section.options(but=_OF_TEXTS)
        for station in dict.fromkeys([BASE, road.last]):
            words = ["evaluate", "--model", road.stations[station], *options, "--json"]
            add(f"questions, {station}", words, suites_file(station), (station,), section.files)


def _add_serving(road: Road, file: RoadFile, add) -> None:
    section = file.sections["serve"]
    for station in dict.fromkeys([BASE, road.last]):
        words = ["export", road.stations[station], "-o", f"serve/{station}", "--format", "gguf"]
        words += section.options(but=("ask", "answer_tokens"))
        add(f"export, {station}", words, f"serve/{station}", (station,), section.files)
        if "ask" in section.values:
            asked, tokens = section.options("ask"), section.options("answer_tokens")
            words = ["chat", f"serve/{station}", *asked, "--json", *tokens]
            add(f"chat, {station}", words, chat_file(station), (f"export, {station}",))
