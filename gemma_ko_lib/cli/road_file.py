"""Reads road.yaml: each section is a command of `gemma-ko`, each key one of its options.

What the commands' own parsers refuse is refused here, with the file, the line and the field.
"""

import argparse
import dataclasses
import os
import re
from pathlib import Path

import yaml

from gemma_ko_lib.cli import stages
from gemma_ko_lib.corpus.sources.open_corpora import is_open
from gemma_ko_lib.runtime import UserError, did_you_mean

# Options that say where things are: the road sets them.
_OF_THE_ROAD = frozenset("help output resume json model data multi_host".split())
# Sections, and the commands whose options are their keys.
_SECTIONS = {
    "clean": ["clean"],
    "vocabulary": ["vocabulary"],
    "pretrain": ["pretrain"],
    "finetune": ["finetune"],
    "evaluate": ["evaluate"],
    "serve": ["export", "chat"],
}
# Keys beside those options, or in spite of what the road sets; and options that are no keys.
_HERE = {"clean": {"inputs"}, "finetune": {"data"}, "evaluate": {"data"}}
_NOT_HERE = {
    "clean": {"formats", "executor", "slurm"},  # a step ends when its command does
    "evaluate": {"writing"},
    "serve": {"format", "context", "threads"},  # llama.cpp answers
    "vocabulary": {"learn_from"},
}
_PATHS = frozenset(
    "inputs decontaminate keep_from measure replay held_out data text importance".split()
)  # keys whose values are files or folders
_SHARE = re.compile(r"0?\.\d+")  # finetune.held_out: a share, or a file
_TOP = ("model", "hourly_rate", "currency", *_SECTIONS)
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands that a road is made of, by name."""
    commands = argparse.ArgumentParser(prog="gemma-ko").add_subparsers()
    stages.add(commands)
    return commands.choices


@dataclasses.dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        values: the words of each key; of `evaluate.text` {name: words}.
        typed: plain options as they are typed, by key: ["--tokens", "20k"].
        files: files and folders of the user that it reads, as absolute paths.
    """

    values: dict = dataclasses.field(default_factory=dict)
    typed: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    files: list[str] = dataclasses.field(default_factory=list)

    def options(self, *only: str, but: tuple[str, ...] = ()) -> list[str]:
        """Options to type: some, or all but some."""
        return [
            word
            for key, words in self.typed.items()
            if (not only or key in only) and key not in but
            for word in words
        ]


@dataclasses.dataclass(frozen=True)
class RoadFile:
    """A road.yaml.

    Attributes:
        text: as it is written.
        model: what the road starts from, as for `models.load`.
        model_files: its absolute path in a list, where it is a folder or file of the user.
        hourly_rate: what an hour of the machine costs; None where it is not given.
        currency: of the rate.
        sections: by name; those that are left out, or "none", are missing.
    """

    text: str
    model: str
    model_files: list[str]
    hourly_rate: float | None
    currency: str
    sections: dict[str, Section]


def read_road(path: str | Path, folder: str | Path) -> RoadFile:
    """Read and check a road.yaml.

    Args:
        path: its path; paths in it are seen from its folder.
        folder: where the road is run: paths come out as seen from there.

    Raises:
        UserError: it is not there, no YAML, or a field is unknown or has an impossible value.
    """
    # From a folder that a link leads to, ".." is not where the link is.
    return _Reader(Path(path), Path(folder).resolve()).read()


class _Reader:
    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        self.parsers = parsers()
        for parser in self.parsers.values():
            for each in (*parser._actions, *parser._mutually_exclusive_groups):
                each.required = False  # the road adds what a command needs

    def read(self) -> RoadFile:
        try:
            text = self.path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise UserError(
                f"Cannot read {self.path}: {reason}. An example comes with the course: "
                "data_samples/road.yaml."
            ) from None
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            line = error.problem_mark.line + 1 if getattr(error, "problem_mark", None) else 1
            said = getattr(error, "problem", None) or str(error)
            raise UserError(
                f"{self.path}, line {line}: this is no YAML: {said}. Sections stand at the left, "
                "their keys two spaces in, 'key: value'."
            ) from None
        top = self._mapping(root, "the file", _TOP) if root else {}
        if "model" not in top:
            raise UserError(f"{self.path}: 'model' is missing: nano, gemma3_270m, a preset, …")
        sections = {
            name: self._section(name, top[name])
            for name in _SECTIONS
            if name in top and not self._is_none(top[name])
        }
        if "clean" not in sections:
            raise UserError(f"{self.path}: 'clean' is missing, with 'inputs' in it: the texts.")
        model = self._word(top["model"], "model")
        own = []
        # A folder without "/" in its name could be a preset's.
        mine = "/" in model or model.endswith(".gguf")
        if mine and (self.path.parent / Path(model).expanduser()).exists():
            model = self._place(top["model"], "model", own)
        rate = top.get("hourly_rate")
        currency = self._word(top["currency"], "currency") if "currency" in top else "USD"
        return RoadFile(
            text, model, own, rate and self._number(rate, "hourly_rate"), currency, sections
        )

    def _fail(self, node, field: str, what: str):
        raise UserError(f"{self.path}, line {node.start_mark.line + 1}, {field}: {what}")

    def _mapping(self, node, field: str, known) -> dict:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, field, "here belong keys with values, as 'tokens: 20k'.")
        found = {}
        for key, value in node.value:
            name = self._word(key, field)
            name = name.replace("-", "_") if known else name  # an option may be typed so
            where = name if field == "the file" else f"{field}.{name}"
            if name in found:
                self._fail(key, where, "it is there twice; keep one.")
            if known and name not in known:
                hint = did_you_mean(name, known)
                self._fail(key, where, f"no such key.{hint} There are: {', '.join(sorted(known))}.")
            found[name] = value
        return found

    def _is_none(self, node) -> bool:
        plain = isinstance(node, yaml.ScalarNode)
        return plain and node.value.lower() in ("", "none", "null", "keep", *_FALSE)

    def _word(self, node, field: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, field, "one value belongs here, no list and no keys.")
        if "\0" in node.value:
            self._fail(
                node, field, "a character of number 0 is in it, which no path or option has."
            )
        return node.value

    def _number(self, node, field: str) -> float:
        from gemma_ko_lib.cli.options import positive

        try:
            return positive(self._word(node, field))
        except argparse.ArgumentTypeError as error:
            self._fail(node, field, f"{error}.")

    def _place(self, node, field: str, files: list[str]) -> str:
        """A path as seen from the road's folder; a share or a corpus by name as it is.

        The absolute path of what is there is added to `files`.
        """
        given = self._word(node, field)
        if is_open(given) or _SHARE.fullmatch(given):
            return given
        path = (self.path.absolute().parent / Path(given).expanduser()).resolve()
        if not path.exists():
            self._fail(
                node,
                field,
                f"there is no file or folder {given} beside {self.path.name}; looked for {path}.",
            )
        files.append(str(path))
        return min(os.path.relpath(path, self.folder), str(path), key=len)

    def _words(self, node, field: str, files: list[str] | None = None) -> list[str]:
        """One word or several; where `files` is given, paths that are added to it."""
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not items or any(item.value == "" for item in items):
            self._fail(node, field, "it is empty; give a value, or take the key out.")
        if files is None:
            return [self._word(item, field) for item in items]
        return [self._place(item, field, files) for item in items]

    def _section(self, name: str, node) -> Section:
        actions = {
            action.dest: (self.parsers[command], action)
            for command in _SECTIONS[name]
            for action in self.parsers[command]._actions  # there is no other list of its options
            if action.option_strings
        }
        here, out = _HERE.get(name, set()), _OF_THE_ROAD | _NOT_HERE.get(name, set())
        fields = self._mapping(node, name, (actions.keys() - out) | here)
        found = Section()
        for key, value in fields.items():
            field = f"{name}.{key}"
            if key == "text":  # of evaluate: texts by the name that the report has for them
                named = self._mapping(value, field, ())
                found.values[key] = {
                    name: self._words(each, f"{field}.{name}", found.files)
                    for name, each in named.items()
                }
                continue
            words = self._words(value, field, found.files if key in _PATHS else None)
            self._check_known(key, words, value, field)
            found.values[key] = words
            if key in actions:
                parser, action = actions[key]
                found.typed[key] = self._typed(action, words, value, field)
                known = [other for other in found.typed if actions[other][0] is parser]
                self._parse(parser, found.options(*known), value, field)
        needed = {"clean": "inputs", "finetune": "data"}.get(name)
        if needed and not found.values.get(needed):
            self._fail(node, name, f"'{needed}' is missing: the files to read.")
        return found

    def _typed(self, action, words: list[str], node, field: str) -> list[str]:
        option = action.option_strings[-1]
        if action.nargs == 0:
            if words[0].lower() not in (*_TRUE, *_FALSE):
                self._fail(node, field, f"true or false belongs here, not '{words[0]}'.")
            return [option] if words[0].lower() in _TRUE else []
        if len(words) != 1 and action.nargs not in ("+", "*"):
            self._fail(node, field, "one value belongs here, no list.")
        return [option, *words]

    def _parse(self, parser, options: list[str], node, field: str) -> None:
        """See what the command's own parser says to options, of which the last is new."""

        def refuse(message: str):
            self._fail(node, field, re.sub("^argument [^:]*: ", "", f"{message}."))

        parser.error = refuse
        parser.parse_args(options)

    def _check_known(self, key: str, words: list[str], node, field: str) -> None:
        """Refuse names that a command would refuse at the end of the road."""
        if key == "suite":
            from gemma_ko_lib.evaluation.suites import NAMES as known

            words = [word for word in words if not word.startswith("lm_eval:")]
        elif key == "type":
            from gemma_ko_lib.serving.gguf_export import TYPES as known

            words = [word.lower() for word in words]
        for word in words if key in ("suite", "type") else ():
            if word not in known:
                hint = did_you_mean(word, known) or f" There are: {', '.join(known)}."
                self._fail(node, field, f"no {key} '{word}'.{hint}")
