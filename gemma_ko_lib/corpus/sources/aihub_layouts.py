"""The layouts of AI-Hub's corpora, by the table aihub_layouts.json: where in a record what is.

Places are written as lesson 05 and `gemma-ko clean --formats` show them: "content[].sentence"
is the field "sentence" of each object in the list "content"; "+" joins two places, of "a | b"
the first that holds text counts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Layout(NamedTuple):
    """A corpus' register, and where in its records what is.

    Attributes:
        corpus: its name on AI-Hub.
        register: see `cleaning.filters.REGISTERS`.
        text: the place of its text; in a dialogue, of what is said within a turn.
        needs: fields of which one must be there, too.
        title: the place of a title, to stand above the text.
        turns: in a dialogue, the place of the list of turns.
        speaker: within a turn.
        each: every piece of text is a document of its own.
        between: what stands between two pieces of text.
        marks: that a dialogue's text has, "sns" or "dialect".
        container: the field of the JSON root that lists the records.
        path: letters that the name of the file has.
        about: the metadata: names with their places.
    """

    corpus: str
    register: str
    text: str
    needs: str = ""
    title: str = ""
    turns: str = ""
    speaker: str = ""
    each: bool = False
    between: str = "\n"
    marks: str = "sns"
    container: str = ""
    path: str = ""
    about: Mapping[str, str] = MappingProxyType({})

    def places(self) -> str:
        """Where the text is, for people."""
        text = f"{self.turns}.({self.text})" if self.turns else self.text
        needs = f", with {self.needs}" if self.needs else ""
        return f"{self.container + '[].' if self.container else ''}{text}{needs}"


# The first that fits: the more a layout asks for, the earlier it stands in the table.
LAYOUTS = tuple(
    Layout(**entry) for entry in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
)
