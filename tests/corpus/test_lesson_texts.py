"""Lessons read public text where there is a network, and say what they read."""

import json

import pytest

from gemma_ko_lib import profiles
from gemma_ko_lib.corpus import lesson_texts
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.corpus.sources import open_corpora
from gemma_ko_lib.runtime import UserError


@pytest.fixture
def asked(monkeypatch):
    """What is fetched, without a network; True lets petitions come."""
    answers: dict = {"names": [], "petitions": False}

    def fetch(given, limit, quiet):
        answers["names"].append((given, limit))
        if not (answers["petitions"] and given == "open:petitions"):
            raise UserError(f"{given} cannot be fetched")
        return [answers["file"]]

    monkeypatch.setattr(lesson_texts, "fetch", fetch)
    return answers


def test_the_smoke_profile_touches_no_network(asked, capsys):
    found = lesson_texts.lesson_texts("ko", profiles.get("smoke"))
    assert asked["names"] == []
    assert found == {split: read_samples("ko", split) for split in ("train", "held_out")}
    assert "the course's own samples" in capsys.readouterr().out


def test_without_a_network_a_lesson_reads_the_samples_and_says_so(asked, capsys):
    found = lesson_texts.lesson_texts("en", profiles.get("gpu"))
    assert found["train"] == read_samples("en", "train")
    said = capsys.readouterr().out
    assert "not reached: open:wikipedia-en cannot be fetched" in said
    assert "the course's own samples instead" in said


def test_public_text_is_cleaned_masked_and_split(asked, capsys, tmp_path):
    text = "도서관이 다음 주에 문을 연다고 합니다. 문의는 010-0123-4567로 해 주세요."
    petitions = [{"num_agree": n, "title": f"청원 {n}", "content": text} for n in range(200)]
    path = tmp_path / "petitions_2017-08"
    path.write_text("\n".join(json.dumps(petition) for petition in petitions), "utf-8")
    about = open_corpora.corpora()["petitions"].about
    asked["file"] = open_corpora.InputFile(
        str(path), "open:petitions/p", (), path.stat().st_size, about
    )
    asked["petitions"] = True
    profile = profiles.get("cpu")
    found = lesson_texts.lesson_texts("ko", profile)
    assert len(found["train"]) + len(found["held_out"]) == 200
    assert 5 <= len(found["held_out"]) <= 40
    assert found["train"][0]["register"] == "community"
    assert not any("0123" in record["text"] for split in found.values() for record in split)
    said = capsys.readouterr().out
    assert "open:petitions" in said and "KOGL" in said and "not reached: open:wikipedia-ko" in said
    # Even one of them alone is not read more than three times, at 4 bytes a token.
    (_, limit), sizes = asked["names"][0], profile.pretrain
    assert 3 * 0.9 * limit.bytes >= 4 * sizes.steps * sizes.batch_rows * sizes.row_length
