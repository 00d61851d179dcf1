"""Packing keeps documents whole and apart, and wastes nothing.

Two faults of peers must not come back: a second BOS where the tokenizer has added one
already, and documents cropped to fill a row.
"""

import numpy as np
import pytest

from gemma_ko_lib.tokenization.packing import (
    PackedRows,
    document_ids,
    next_token_targets,
    pack_documents,
    split_long,
)

BOS, EOS, PAD = 2, 1, 0


def documents_of(lengths, seed: int = 0) -> list[np.ndarray]:
    """Framed documents, `length` tokens each, no two with the same content."""
    generator = np.random.default_rng(seed)
    return [document_ids(generator.integers(10, 30000, length - 2), BOS, EOS) for length in lengths]


def packed(documents, length: int, **options):
    rows = list(pack_documents(documents, length, PAD, **options))
    tokens = np.concatenate([row.token_ids for row in rows])
    return PackedRows(tokens, np.concatenate([row.segment_ids for row in rows]))


def segments_of(rows) -> list[list[int]]:
    """What each segment holds, row by row."""
    return [
        row[segments == number].tolist()
        for row, segments in zip(rows.token_ids, rows.segment_ids, strict=True)
        for number in range(1, segments.max() + 1)
    ]


@pytest.mark.parametrize("ids", [[7, 8], [BOS, 7, 8], [BOS, BOS, 7, 8], [7, 8, EOS]])
def test_a_document_has_one_bos_and_one_eos_whoever_added_them(ids):
    assert document_ids(ids, BOS, EOS).tolist() == [BOS, 7, 8, EOS]


def test_an_empty_document_is_framed():
    assert document_ids([], BOS, EOS).tolist() == [BOS, EOS]


def test_a_document_that_fits_is_never_cut():
    documents = documents_of(np.random.default_rng(1).integers(3, 65, 400))
    found = segments_of(packed(documents, 64))
    assert sorted(found) == sorted(document.tolist() for document in documents)
    assert all(segment[0] == BOS and segment.count(BOS) == 1 for segment in found)
    assert all(segment[-1] == EOS and segment.count(EOS) == 1 for segment in found)


def test_a_long_document_is_split_in_order_with_one_bos():
    document = documents_of([150])[0]
    found = segments_of(packed([document], 64))
    assert [len(segment) for segment in found] == [64, 64, 22]
    assert np.concatenate(found).tolist() == document.tolist()
    assert [segment[0] == BOS for segment in found] == [True, False, False]


def test_a_document_of_just_the_row_length_is_one_piece():
    assert [len(piece) for piece in split_long(documents_of([64])[0], 64)] == [64]


def test_segments_are_numbered_from_one_and_padding_is_zero():
    rows = packed(documents_of([20, 30, 40, 10]), 64)
    for tokens, segments in zip(rows.token_ids, rows.segment_ids, strict=True):
        filled = segments > 0
        steps = np.diff(segments[filled])
        assert segments[0] == 1 and set(steps) <= {0, 1}
        assert not filled[filled.sum() :].any()
        assert (tokens[~filled] == PAD).all()


def test_no_target_crosses_into_another_document():
    rows = packed(documents_of(np.random.default_rng(2).integers(3, 40, 100)), 64)
    targets, weights = next_token_targets(rows.token_ids, rows.segment_ids)
    assert weights.dtype == np.float32
    for row in range(len(targets)):
        for position in range(64):
            follows = position + 1 < 64 and (
                rows.segment_ids[row, position] == rows.segment_ids[row, position + 1] > 0
            )
            assert weights[row, position] == follows
            if follows:
                assert targets[row, position] == rows.token_ids[row, position + 1]


def test_the_last_token_of_a_full_row_is_not_trained_on_its_own_bos():
    # Such a row has one segment from end to end, and its first token is a BOS.
    rows = packed(documents_of([64, 64]), 64)
    _, weights = next_token_targets(rows.token_ids, rows.segment_ids)
    assert (rows.segment_ids == 1).all()
    assert (weights[:, :-1] == 1).all() and (weights[:, -1] == 0).all()


def test_every_token_but_the_first_of_a_document_is_trained_on_once():
    documents = documents_of(np.random.default_rng(3).integers(3, 65, 200))
    rows = packed(documents, 64)
    targets, weights = next_token_targets(rows.token_ids, rows.segment_ids)
    wanted = np.concatenate([document[1:] for document in documents])
    assert sorted(targets[weights > 0]) == sorted(wanted)


def test_short_reviews_leave_next_to_no_padding():
    lengths = np.random.default_rng(4).integers(8, 140, 3000)
    rows = packed(documents_of(lengths), 256)
    padding = (rows.segment_ids == 0).mean()
    assert padding <= 0.005
    assert padding == pytest.approx(1 - lengths.sum() / rows.token_ids.size)


@pytest.mark.parametrize("seed", range(30))
def test_packing_conserves_every_token(seed):
    generator = np.random.default_rng(seed)
    length = int(generator.integers(2, 50))
    documents = documents_of(generator.integers(2, 120, generator.integers(1, 60)), seed)
    few = int(generator.integers(1, 8))
    rows = packed(documents, length, open_rows=few, sorted_at_once=few * 3)
    assert rows.token_ids.shape[1] == length
    filled = rows.segment_ids > 0
    assert sorted(rows.token_ids[filled]) == sorted(np.concatenate(documents))
    whole = [document.tolist() for document in documents if len(document) <= length]
    found = segments_of(rows)
    assert all(document in found for document in whole)


def test_the_same_documents_give_the_same_rows():
    documents = documents_of(np.random.default_rng(5).integers(3, 100, 100))
    first, second = packed(documents, 64), packed(documents, 64)
    np.testing.assert_array_equal(first.token_ids, second.token_ids)
    np.testing.assert_array_equal(first.segment_ids, second.segment_ids)
