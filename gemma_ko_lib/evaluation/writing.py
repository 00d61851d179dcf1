"""How a model writes: measures of generated Korean, cheap and without a judge model.

A model goes on from openings in four speech levels. What can be counted in its text is counted:
whether it stays in Korean, ends, repeats itself, keeps the level, and attaches the right form of
a particle. None of it says that a text is good; each shows one way in which small models fail.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from gemma_ko_lib import runtime
from gemma_ko_lib.corpus.cleaning.quality import kiwi
from gemma_ko_lib.evaluation.decoding import Answer, generate, reply
from gemma_ko_lib.evaluation.statistics import interval
from gemma_ko_lib.models.model import Model
from gemma_ko_lib.runtime import UserError, json_object, numbered_lines
from gemma_ko_lib.tokenization.conversations import END, Turn

MEASURES = {
    "korean": "letters that are Hangul",
    "ended": "texts that end by themselves, within the length given",
    "repetition": "runs of four morphemes that stood in the text before",
    "level_kept": "sentences in the opening's speech level",
    "particles_right": "particles of two forms (은/는, 을/를 …) that fit the syllable before them",
    "variety": "different morphemes in each run of 50",
}
_RUN = 4
_WINDOW = 50
_QUOTED = re.compile(r"[\"“'‘][^\"”'’\n]*[\"”'’]")
_AFTER_CONSONANT = dict.fromkeys("은이을과", True) | dict.fromkeys("는가를와", False)


@dataclasses.dataclass(frozen=True)
class Opening:
    """A sentence to go on from.

    Attributes:
        id: its name.
        level: 해요체, 합니다체, 해라체 or 해체; empty where none is to be kept.
        text: the sentence, or the question.
    """

    id: str
    level: str
    text: str


@dataclasses.dataclass(frozen=True)
class Measured:
    """A measure over several texts.

    Attributes:
        share: from 0 to 1; None where no text had anything to count.
        interval: its 95% interval, by drawing texts.
        texts: how many had something to count.
    """

    share: float | None
    interval: tuple[float, float] | None
    texts: int


def read_openings() -> list[Opening]:
    """The course's 50 openings."""
    records = runtime.read_json_lines(runtime.samples_dir() / "openings.jsonl")
    return [Opening(**record) for record in records]


def go_on(
    model: Model, openings: Sequence[Opening], max_new_tokens: int = 128, *, progress: bool = False
) -> list[Answer]:
    """Let a model go on from openings.

    Args:
        model: as from `models.load`.
        openings: from `read_openings`.
        max_new_tokens: where a text that does not end is cut.
        progress: show progress.

    Returns:
        Of each opening what was written after it, and whether it ended by itself, as a text or as
        a turn of a conversation.
    """
    tokenizer, pieces = model.tokenizer, model.tokenizer.vocabulary
    ids = tokenizer.encode([opening.text for opening in openings])
    new = generate(
        model,
        [[tokenizer.bos_id, *its] for its in ids],
        max_new_tokens,
        stop_ids=[tokenizer.eos_id, *(i for i, piece in enumerate(pieces) if piece == END)],
        progress=progress,
    )
    return [Answer(tokenizer.decode(its).strip(), len(its) < max_new_tokens) for its in new]


def read_questions(path: str | Path) -> list[tuple[str, list[str]]]:
    """Questions for a chat model, as LogicKor publishes them (questions.jsonl).

    Args:
        path: JSON lines with "questions", asked one after the other in one conversation; or with
            one "question".

    Returns:
        Of each conversation its id and its questions.

    Raises:
        UserError: a line holds none, or the file cannot be read.
    """
    talks = []
    try:
        for number, line in numbered_lines(Path(path)):
            record = json_object(line)
            asked = record.get("questions") or [record.get("question")]
            texts = [text for text in asked if isinstance(text, str) and text.strip()]
            if texts != asked:  # a text is not a list of texts, either
                raise ValueError(f"line {number} has no questions, but {asked!r}")
            talks.append((str(record.get("id", number)), asked))
        if not talks:
            raise ValueError("it holds no question")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f'{path}: {error}. A line is {{"id": …, "questions": ["…", "…"]}}.'
        ) from None
    return talks


def ask(
    model: Model,
    talks: Sequence[tuple[str, Sequence[str]]],
    max_new_tokens: int = 256,
    *,
    progress: bool = False,
) -> tuple[list[Opening], list[Answer]]:
    """Ask a chat model questions, the later ones with its own answers before them.

    Args:
        model: as from `models.load`, tuned on conversations.
        talks: from `read_questions`.
        max_new_tokens: where an answer that does not end is cut.
        progress: show progress.

    Returns:
        The questions and the answers, for `measure_writing`.
    """
    turns: list[list[Turn]] = [[] for _ in talks]
    questions, answers = [], []
    for n in range(max(len(asked) for _, asked in talks)):
        going_on = [i for i, (_, asked) in enumerate(talks) if n < len(asked)]
        for i in going_on:
            turns[i].append(Turn("user", talks[i][1][n].strip()))
        said = reply(model, [turns[i] for i in going_on], max_new_tokens, progress=progress)
        for i, answer in zip(going_on, said, strict=True):
            turns[i].append(Turn("model", answer.text or "…"))
            questions.append(Opening(f"{talks[i][0]}.{n + 1}", "", talks[i][1][n]))
        answers += said
    return questions, answers


def measure_writing(
    openings: Sequence[Opening], written: Sequence[tuple[str, bool]]
) -> dict[str, Measured]:
    """Measure what was written after openings, by `MEASURES`.

    Args:
        openings: what was gone on from.
        written: from `go_on`: text, and whether it ended by itself.

    Returns:
        Each measure over all texts, every countable thing counting alike.

    Example:
        >>> opening = Opening("1", "해요체", "어제 시장에 갔어요.")
        >>> found = measure_writing([opening], [("사과을 샀어요. 값이 올랐다.", True)])
        >>> found["level_kept"].share, found["particles_right"].share
        (0.5, 0.5)
    """
    counts = {name: [] for name in MEASURES}
    for opening, (text, ended) in zip(openings, written, strict=True):
        morphemes = kiwi().tokenize(text)
        forms = [(token.form, token.tag) for token in morphemes]
        letters = [letter for letter in text if letter.isalpha()]
        levels = sentence_levels(text)
        particles = _particles(text, morphemes)
        runs = list(zip(*(forms[n:] for n in range(_RUN)), strict=False))
        windows = [forms[n : n + _WINDOW] for n in range(len(forms) - _WINDOW + 1)]
        for name, hits, total in (
            ("korean", sum("가" <= letter <= "힣" for letter in letters), len(letters)),
            ("ended", ended, 1),
            ("repetition", len(runs) - len(set(runs)), len(runs)),
            ("level_kept", levels.count(opening.level), len(levels) * bool(opening.level)),
            ("particles_right", sum(particles), len(particles)),
            ("variety", sum(len(set(w)) for w in windows), _WINDOW * len(windows)),
        ):
            if total:
                counts[name].append((hits, total))
    return {name: _measured(pairs) for name, pairs in counts.items()}


def _measured(pairs: list[tuple[int, int]]) -> Measured:
    if not pairs:
        return Measured(None, None, 0)
    hits, totals = zip(*pairs, strict=True)
    span = interval(hits, totals) if len(pairs) > 1 else None
    return Measured(sum(hits) / sum(totals), span, len(pairs))


def sentence_levels(text: str) -> list[str]:
    """The speech level (상대 높임) of each finished sentence outside quotation marks.

    Sentences in -자, -니, -냐, which two levels share, are left out.

    Example:
        >>> sentence_levels("비가 와요. 우산을 가져가십시오. 밥 먹었어?")
        ['해요체', '합니다체', '해체']
    """
    tokens = kiwi().tokenize(_QUOTED.sub("", text))
    levels = []
    for token, after in itertools.zip_longest(tokens, tokens[1:]):
        if token.tag == "EF" and (after is None or after.tag in ("SF", "SE", "SW")):
            levels.append(_level(token.form))
    return [level for level in levels if level]


def _level(ending: str) -> str | None:
    if ending.endswith(("요", "죠")):
        return "해요체"
    if ending.endswith(("니다", "니까", "시다", "시오")):
        return "합니다체"
    if ending.endswith(("자", "니", "냐")):
        return None
    return "해라체" if ending.endswith(("다", "라", "가")) else "해체"


def _particles(text: str, morphemes) -> list[bool]:
    """Of each particle that has two forms, whether it is the one that fits.

    The analyser takes a wrong form for another part of speech, so that what counts is a form at
    the end of a word and after a noun.
    """
    right = []
    for before, token in itertools.pairwise(morphemes):
        end = token.start + token.len
        alone = before.start + before.len == token.start and not text[end : end + 1].isalpha()
        sounds = text[token.start - 1 : token.start]
        if not (alone and before.tag.startswith("N") and "가" <= sounds <= "힣"):
            continue
        final = (ord(sounds) - ord("가")) % 28
        if token.form in _AFTER_CONSONANT:
            right.append(_AFTER_CONSONANT[token.form] == (final > 0))
        elif token.form in ("으로", "로"):  # ㄹ, the eighth final, counts as none
            right.append((token.form == "으로") == (final not in (0, 8)))
    return right
