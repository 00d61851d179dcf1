"""How much a run trains, in tokens, and how a device cuts an update into micro-batches.

The tokens of a run and of an update are the user's choice, the same on every machine. How many
rows are computed at once follows from the memory that is there, and changes nothing but time: an
update's gradient is that of the mean over all its tokens.
"""

import dataclasses
import math

from gemma_ko_lib.runtime import UserError

DEFAULT_LENGTH = 2048
# An update has so many tokens at most; LOMO's, which comes in one piece, a quarter of them.
UPDATE_TOKENS, UNDIVIDED_UPDATE_TOKENS = 65_536, 16_384
# A small corpus is not spent in a handful of updates: by default an update is this share of it.
# It is a share of the data and not of the run, so that a run can go on to more tokens.
_UPDATES_AN_EPOCH = 1000


@dataclasses.dataclass(frozen=True)
class RunSize:
    """How much is trained.

    Attributes:
        tokens: of the whole run, repetitions included.
        epochs: passes over the data, instead of `tokens`.
        update_tokens: in one update. By default 65,536, or 16,384 where an update cannot be
            divided (LOMO), or a thousandth of the data where that is less.
        length: tokens of a row; by default 2,048, or the length of the rows that are there.
        rows: rows computed at once, over all devices; by default as many as fit.
        learning_rate: peak; by default the method's.

    Raises:
        UserError: a value out of range, or both tokens and epochs.
    """

    tokens: int | None = None
    epochs: float | None = None
    update_tokens: int | None = None
    length: int | None = None
    rows: int | None = None
    learning_rate: float | None = None

    def __post_init__(self):
        if self.tokens is not None and self.epochs is not None:
            raise UserError("A run is as long as --tokens or as --epochs says; give one of them.")
        for name, value in dataclasses.asdict(self).items():
            if value is not None and not 0 < value < math.inf:
                raise UserError(
                    f"--{name.replace('_', '-')} must be a finite number above 0, not {value}."
                )

    @property
    def row_length(self) -> int:
        """Tokens of a row."""
        return self.length or DEFAULT_LENGTH

    def most_update_rows(self, divisible: bool) -> int:
        """Rows of the largest update that this size allows, whatever the data is.

        Args:
            divisible: whether an update can be cut into micro-batches.

        Raises:
            UserError: an update of less than one row.
        """
        if self.update_tokens is not None and self.update_tokens < self.row_length:
            raise UserError(
                f"--update-tokens {self.update_tokens:,} is less than one row of "
                f"{self.row_length:,} tokens: give at least that, or a smaller --length."
            )
        tokens = self.update_tokens or (UPDATE_TOKENS if divisible else UNDIVIDED_UPDATE_TOKENS)
        return max(1, round(tokens / self.row_length))

    def updates(self, data_rows: int, data_tokens: int, divisible: bool, epochs: float = 1):
        """The updates of a run over packed data.

        Args:
            data_rows: packed rows.
            data_tokens: tokens in them, padding left out.
            divisible: whether an update can be cut into micro-batches.
            epochs: passes over the data where neither tokens nor epochs are given.

        Returns:
            An `Updates`.
        """
        tokens = self.tokens or max(1, round((self.epochs or epochs) * data_tokens))
        rows = tokens * data_rows / data_tokens
        most = self.most_update_rows(divisible)
        fit = most if self.update_tokens else round(data_rows / _UPDATES_AN_EPOCH)
        update_rows = max(1, min(most, fit))
        count = max(1, round(rows / update_rows))
        return Updates(count, update_rows, round(count * update_rows * data_tokens / data_rows))


@dataclasses.dataclass(frozen=True)
class Updates:
    """The updates of a run: how many, the rows of each, and the tokens of all."""

    count: int
    rows: int
    tokens: int


@dataclasses.dataclass(frozen=True)
class Batching:
    """How an update is cut.

    Attributes:
        update_rows: rows of an update.
        length: tokens of a row.
        rows: rows of a micro-batch, over all devices. The last micro-batch is filled up with
            empty rows, which weigh nothing.
        rematerialise: blocks are computed twice, so that only their inputs are kept.
    """

    update_rows: int
    length: int
    rows: int
    rematerialise: bool = True

    @property
    def accumulation(self) -> int:
        """Micro-batches of an update."""
        return math.ceil(self.update_rows / self.rows)

    @classmethod
    def cut(cls, update_rows: int, length: int, most_rows: int, devices: int = 1):
        """The most even cut into micro-batches of at most so many rows.

        Args:
            update_rows: rows of an update.
            length: tokens of a row.
            most_rows: rows of a micro-batch that fit; a multiple of `devices`.
            devices: that share a micro-batch.
        """
        share = math.ceil(update_rows / devices)
        pieces = math.ceil(share * devices / most_rows)
        return cls(update_rows, length, math.ceil(share / pieces) * devices)

    def __str__(self):
        text = f"{self.update_rows} × {self.length:,} tokens an update"
        if self.accumulation > 1:
            text += f" in {self.accumulation} micro-batches of {self.rows}"
        return text + (", blocks rematerialised" if self.rematerialise else "")
