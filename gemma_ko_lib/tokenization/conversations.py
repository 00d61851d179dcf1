"""Reads conversations from JSONL and packs them into rows in Gemma's turn format.

    <bos><start_of_turn>user
    {question}<end_of_turn>
    <start_of_turn>model
    {answer}<end_of_turn>

The loss counts only the answers and the <end_of_turn> that ends each. Gemma has no system turn,
so a system message is put before the first question. What a person types stays text, even where it
spells a control token.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gemma_ko_lib.runtime import UserError, json_object, numbered_lines
from gemma_ko_lib.tokenization.packing import ARRAYS, pack_documents
from gemma_ko_lib.tokenization.tokenizer import Tokenizer, encode_plain

START, END = "<start_of_turn>", "<end_of_turn>"
# The same format for transformers, vLLM and llama.cpp, as a Jinja template.
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text("utf-8")
_PAIRS = (("prompt", "response"), ("prompt", "completion"), ("instruction", "output"))
_ROLES = {"user": "user", "human": "user", "assistant": "model", "model": "model", "gpt": "model"}


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one side says.

    Attributes:
        role: "user" or "model".
        text: without white space around it.
    """

    role: str
    text: str


Conversation = tuple[Turn, ...]


def read_conversations(path: str | Path) -> tuple[list[Conversation], list[str]]:
    """Read a JSONL file of conversations.

    A line is {"prompt", "response"} (or "completion"), {"instruction", "input", "output"}, or
    {"messages": [{"role", "content"}, …]} with the roles system, user and assistant; its other
    spelling is {"conversations": [{"from", "value"}, …]}. A content may be a list of texts as
    Gemma 3's own template has it, [{"type": "text", "text"}, …].

    Returns:
        The conversations, and a line for each record that is not one: "file, line n: why".

    Raises:
        UserError: the file cannot be read, is not UTF-8, or holds no conversation.
    """
    path = Path(path).expanduser()
    try:
        lines = numbered_lines(path)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); convert it, e.g. with iconv.") from None
    found, rejects = [], []
    for number, line in lines:
        try:
            found.append(_conversation(json_object(line)))
        except ValueError as error:
            rejects.append(f"{path.name}, line {number}: {error}")
    if not found:
        why = f" The first of {len(rejects)} rejects: {rejects[0]}." if rejects else ""
        if lines and lines[0][1].lstrip().startswith("["):
            why = " It is a JSON list: write each of its objects on a line, e.g. with jq -c '.[]'."
        raise UserError(
            f"{path} holds no conversation.{why} A line is {{'prompt': …, 'response': …}} or "
            "{'messages': [{'role': 'user', 'content': …}, …]}."
        )
    return found, rejects


def _conversation(record: dict) -> Conversation:
    for asked, answered in _PAIRS:
        if asked in record and answered in record:
            question = filter(None, (_text(record[asked]), _text(record.get("input"))))
            messages = [("user", "\n\n".join(question)), ("model", _text(record[answered]))]
            return _alternating(messages)
    messages = record.get("messages", record.get("conversations"))
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise ValueError(
            f"neither prompt and response nor a list of messages, but {sorted(record)}"
        )
    return _alternating(
        [(m.get("role", m.get("from")), _text(m.get("content", m.get("value")))) for m in messages]
    )


def _text(content) -> str:
    """A content as one text; "" where it is none, or has a part, as an image, that is none."""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "\n\n".join(texts) if all(isinstance(text, str) for text in texts) else ""


def _alternating(messages: list[tuple[str, str]]) -> Conversation:
    system, turns = "", []
    for number, (role, content) in enumerate(messages, 1):
        if not content.strip():
            raise ValueError(f"message {number} ({role}) has no text")
        if role == "system":
            if turns:
                raise ValueError(f"message {number}: a system message comes first")
            system += f"{content.strip()}\n\n"
            continue
        if not isinstance(role, str) or role not in _ROLES:
            raise ValueError(f"message {number} has the role {role!r}, not user or assistant")
        wanted = "model" if len(turns) % 2 else "user"
        if _ROLES[role] != wanted:
            raise ValueError(f"message {number} is {role}'s, but it is the {wanted}'s turn")
        turns.append(Turn(wanted, (system + content).strip()))
        system = ""
    if len(turns) < 2:
        raise ValueError("no answer in it")
    return tuple(turns[: len(turns) // 2 * 2])  # a last question without its answer goes


# --- tokens ---


def encode_conversation(
    tokenizer: Tokenizer, turns: Sequence[Turn]
) -> tuple[np.ndarray, np.ndarray]:
    """Encode a conversation with one BOS, and mark the tokens that are trained.

    Returns:
        ids int32 [n], trained bool [n].

    Raises:
        UserError: the tokenizer has no turn tokens.
    """
    ids, trained = [tokenizer.bos_id], [False]
    for turn_ids, marks in _encoded_turns(tokenizer, turns):
        ids += turn_ids
        trained += marks
    return np.array(ids, np.int32), np.array(trained)


def _encoded_turns(
    tokenizer: Tokenizer, turns: Sequence[Turn]
) -> Iterator[tuple[list[int], list[bool]]]:
    start, end = (control_id(tokenizer, spelling) for spelling in (START, END))
    (newline,) = tokenizer.encode(["\n"])
    for turn in turns:
        opening = [start, *tokenizer.encode([f"{turn.role}\n"])[0]]
        said = [*encode_plain(tokenizer, turn.text), end]
        answer = turn.role == "model"
        marks = [False] * len(opening) + [answer] * len(said) + [False] * len(newline)
        yield [*opening, *said, *newline], marks


def encode_prompt(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int]:
    """Encode the turns so far, up to where the model's next answer starts."""
    ids, _ = encode_conversation(tokenizer, turns)
    start = control_id(tokenizer, START)
    return [*ids.tolist(), start, *tokenizer.encode(["model\n"])[0]]


@functools.lru_cache(maxsize=16)
def control_id(tokenizer: Tokenizer, spelling: str) -> int:
    """The id of `START` or `END`, whether or not the tokenizer would read it out of a text.

    Raises:
        UserError: the tokenizer has no such token.
    """
    try:
        return tokenizer.vocabulary.index(spelling)
    except ValueError:
        raise UserError(
            f"{tokenizer.name} has no token {spelling}; conversations need a Gemma tokenizer."
        ) from None


# --- rows ---


@dataclasses.dataclass(frozen=True)
class ConversationRows:
    """Packed conversations.

    Attributes:
        token_ids: int32 [rows, length].
        segment_ids: int32 [rows, length]; no conversation sees another, 0 is padding.
        targets: int32 [rows, length], the next token.
        loss_weights: float32 [rows, length], 1 where the next token is an answer's.
        too_long: indices of conversations whose first exchange does not fit into a row.
        shortened: indices of those that lost their last exchanges, which did not fit.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    targets: np.ndarray
    loss_weights: np.ndarray
    too_long: tuple[int, ...]
    shortened: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.token_ids)

    def __getitem__(self, number: int) -> "ConversationRows":
        """One row: the same arrays, without their first axis."""
        return dataclasses.replace(self, **{name: getattr(self, name)[number] for name in ARRAYS})

    @property
    def digest(self) -> str:
        """SHA-256 of the rows that are trained on."""
        found = hashlib.sha256(str(self.token_ids.shape).encode())
        for name in ARRAYS:
            found.update(np.ascontiguousarray(getattr(self, name)))
        return found.hexdigest()


def pack_conversations(
    conversations: Sequence[Conversation], tokenizer: Tokenizer, length: int
) -> ConversationRows:
    """Pack conversations into rows.

    A conversation that is longer than a row loses whole exchanges from its end, never parts.

    Args:
        conversations: as from `read_conversations`.
        tokenizer: with Gemma's turn tokens.
        length: tokens in a row.

    Raises:
        UserError: no conversation fits into a row.
    """
    pieces, too_long, shortened = [], [], []
    for index, turns in enumerate(conversations):
        ids, trained, kept = [tokenizer.bos_id], [False], 0
        encoded = _encoded_turns(tokenizer, turns)
        for (asked, _), (answered, marks) in zip(encoded, encoded, strict=True):
            if len(ids) + len(asked) + len(answered) > length:
                break
            ids += asked + answered
            trained += [False] * len(asked) + marks
            kept += 2
        if not kept:
            too_long.append(index)
            continue
        if kept < len(turns):
            shortened.append(index)
        # What is packed is twice the id, and one more where it is trained: so each keeps its mark.
        pieces.append(2 * np.array(ids, np.int32) + np.array(trained))
    if not pieces:
        raise UserError(
            f"None of {len(conversations)} conversations fits into rows of {length} tokens; take "
            "longer rows."
        )
    rows = list(pack_documents(pieces, length, 2 * tokenizer.pad_id))
    token_ids, trained = np.divmod(np.concatenate([row.token_ids for row in rows]), 2)
    weights = np.roll(trained, -1, axis=-1)
    weights[:, -1] = 0  # the row's first token follows nothing
    return ConversationRows(
        token_ids,
        np.concatenate([row.segment_ids for row in rows]),
        np.roll(token_ids, -1, axis=-1),
        weights.astype(np.float32),
        tuple(too_long),
        tuple(shortened),
    )
