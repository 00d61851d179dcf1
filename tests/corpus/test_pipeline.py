"""The pipeline: complete counters, the same bytes always, and never half a result for whole."""

import errno
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from gemma_ko_lib import corpus
from gemma_ko_lib.corpus import CleanSettings, blocks, pipeline
from gemma_ko_lib.corpus.documents import find_files
from gemma_ko_lib.corpus.sources.open_corpora import Limit
from gemma_ko_lib.runtime import UserError


@pytest.fixture
def raw(tmp_path):
    """Four films' reviews in two files, with damage; and a news text."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in (1, 2):
        lines = [
            json.dumps(
                {
                    "id": f"{number}-{i}",
                    "movie_id": str(i % 40),
                    "register": "review",
                    "text": f"{i}번째로 봐도 재미있는 영화다ㅋㅋㅋㅋ",
                },
                ensure_ascii=False,
            )
            for i in range(200)
        ]
        lines[10] = '{"text": "끊긴'
        lines[20] = '{"id": 1}'
        lines[30] = '{"text": "굿", "register": "review"}'
        (folder / f"reviews-{number}.jsonl").write_text("\n".join(lines), "utf-8")
    (folder / "news.txt").write_bytes(
        "시가 도서관을 새로 연다고 밝혔다. 책은 3만 권이다.".encode("cp949")
    )
    (folder / "empty.jsonl").touch()
    return folder


def run(raw, output, workers=1, executor="local", **settings):
    settings = CleanSettings(**{"duplicates": "keep", **settings})
    return corpus.clean(raw, output, settings, workers=workers, executor=executor, progress=False)


@pytest.mark.parametrize(
    ("record", "text_field"),
    [
        ({"num_agree": 3, "title": "제발 도와주세요!!!!", "content": "건널목이 위험합니다."}, None),
        ({"본문": "길이 미끄럽다.", "ko": "다른 글이다.", "en": "Another text."}, "본문"),
        ({"title": "표", "text": "[[분류:표]]쓰는 법은 <nowiki>[[분류:표]]</nowiki>이다."}, None),
    ],
    ids=["a petition", "a pair beside the text", "a wiki's page"],
)
def test_documents_are_read_as_they_were_written(tmp_path, record, text_field):
    (tmp_path / "a.jsonl").write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    run(tmp_path / "a.jsonl", tmp_path / "out", text_field=text_field)
    with gzip.open(tmp_path / "out/documents-00000.jsonl.gz") as file:
        written = json.loads(file.read())
    (document,) = corpus.read_clean(tmp_path / "out")
    assert (document.id, document.text) == (written.pop("id"), written.pop("text"))
    assert document.metadata == written


def test_the_counters_add_up(raw, tmp_path):
    report = run(raw, tmp_path / "out", hold_out=0.3)
    total = report["documents"]
    assert total == {
        "in": 402,
        "rejected": 5,
        "dropped": 2,
        "kept": total["kept"],
        "held_out": total["held_out"],
    }
    assert total["in"] == sum(total[k] for k in ("rejected", "dropped", "kept", "held_out"))
    read, clean, mask, write = report["steps"]
    assert read["in"] == read["out"] + read["rejected"]
    assert clean["in"] == read["out"]
    assert clean["in"] == clean["out"] + sum(r["count"] for r in clean["dropped_by"].values())
    assert mask["in"] == clean["out"] == mask["out"] == write["in"] == write["out"]
    assert read["decoded_from"] == {"cp949": 1}
    assert clean["dropped_by"]["too_short"] == {
        "count": 2,
        "examples": [
            {"id": f"raw/reviews-{file}.jsonl:31", "before": "굿", "after": None} for file in (1, 2)
        ],
    }
    review = report["registers"]["review"]
    assert (review["in"], review["out"]) == (396, 394)
    assert review["changed_by"] == {"shorten_runs": 394}
    assert report["registers"]["other"]["in"] == 1
    documents = list(corpus.read_clean(tmp_path / "out"))
    held_out = list(corpus.read_clean(tmp_path / "out", held_out=True))
    assert (len(documents), len(held_out)) == (total["kept"], total["held_out"])
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8")) == report


def test_the_report_reads_well_on_a_terminal(raw, tmp_path):
    text = corpus.format_report(run(raw, tmp_path / "out"))
    assert "402 records from 4 files: 395 kept, 0 held out, 2 dropped, 5 rejected" in text
    assert "dropped by too_short: 2, e.g. '굿'" in text
    assert "raw/reviews-1.jsonl:11: broken JSON" in text


def test_what_each_rule_did_is_shown_as_before_and_after(raw, tmp_path):
    report = run(raw, tmp_path / "out", show=2)
    changed = report["steps"][1]["changed_by"]["shorten_runs"]
    assert changed["count"] == 394
    assert changed["characters_lost"] == 2 * 394
    assert [(e["id"], e["before"][-4:], e["after"][-4:]) for e in changed["examples"]] == [
        ("1-0", "ㅋㅋㅋㅋ", "화다ㅋㅋ"),
        ("1-1", "ㅋㅋㅋㅋ", "화다ㅋㅋ"),
    ]
    said = corpus.format_report(report, show=1)
    assert "changed by shorten_runs: 394, 788 characters less" in said
    assert "  - '0번째로 봐도 재미있는 영화다ㅋㅋㅋㅋ'" in said
    assert "'1번째로" not in said
    assert "  - '0번째로" not in corpus.format_report(report)


def _dropped(folder):
    lines = [
        line
        for path in sorted((folder / "dropped").iterdir())
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()
    ]
    return [json.loads(line) for line in lines]


def test_what_is_dropped_is_kept_on_request_with_the_rule(tmp_path):
    raw, exam = tmp_path / "raw.jsonl", tmp_path / "exam.jsonl"
    leaked = "세상에서 가장 깊은 호수가 어디에 있는지 묻는 문제이니 답을 고르시오 하나만"
    texts = ["굿 010-0123-4567", "굿", *["배를 타고 섬에 들어가는 길은 늘 설렌다"] * 2, leaked]
    lines = [{"id": str(i), "text": text, "register": "review"} for i, text in enumerate(texts)]
    lines[0] |= {"register": "news", "movie": 7}
    raw.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    exam.write_text(json.dumps({"question": leaked}), "utf-8")
    settings = {"duplicates": "near", "decontaminate": (str(exam),)}
    run(raw, tmp_path / "out", keep_dropped=True, **settings)
    assert [(record["id"], record["dropped_by"]) for record in _dropped(tmp_path / "out")] == [
        ("0", "too_short"),
        ("1", "too_short"),
        ("4", "decontaminate"),
        ("3", "exact_duplicate"),
    ]
    first = _dropped(tmp_path / "out")[0]
    assert (first["text"], first["movie"]) == ("굿 [전화번호]", 7)
    assert [d.id for d in corpus.read_clean(tmp_path / "out")] == ["2"]
    # The next run, which was not asked to, leaves none of it behind.
    run(raw, tmp_path / "out", **settings)
    assert not (tmp_path / "out" / "dropped").exists()


def test_personal_data_is_masked_as_asked_and_the_report_says_how(tmp_path):
    raw = tmp_path / "raw.txt"
    raw.write_text("김하늘 기자가 http://news.example.com/a 에 쓴 글을 옮겨 적었다.", "utf-8")
    report = run(raw, tmp_path / "out", urls="all", names=True)
    mask = report["steps"][2]
    assert (mask["urls"], mask["names"]) == ("all", True)
    (document,) = corpus.read_clean(tmp_path / "out")
    assert document.text == "[이름] 기자가 [링크] 에 쓴 글을 옮겨 적었다."
    said = corpus.format_report(report)
    assert "personal data: URLs all, names of persons found" in said


def test_a_list_under_a_key_that_nobody_knows_is_not_lost_in_silence(tmp_path):
    said = "물을 끓이고 면을 넣은 다음 뚜껑을 덮고 사 분을 기다립니다."
    root = {"more": [{"text": said}], "version": "일 판", "data": [{"text": said}, {"text": said}]}
    (tmp_path / "raw.json").write_text(json.dumps(root))
    report = run(tmp_path / "raw.json", tmp_path / "out")
    assert report["documents"]["kept"] == 2
    assert report["steps"][0]["unread_fields"] == {"more[].text": 1}


def test_fields_without_end_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_MOST_NAMES", 3)
    said = "물을 끓이고 면을 넣은 다음 뚜껑을 덮고 사 분을 기다립니다."
    lines = [{"text": said, "answers": {f"a{n}": {"body": said[::-1]}}} for n in range(9)]
    (tmp_path / "raw.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = run(tmp_path / "raw.jsonl", tmp_path / "out")
    assert report["steps"][0]["unread_fields"] == {
        "others": 6,
        **{f"answers.a{n}.body": 1 for n in range(3)},
    }


@pytest.mark.parametrize("is_numbered", [True, False])
def test_both_sides_of_a_translation_are_held_out_or_none(is_numbered, tmp_path):
    pairs = [
        {"한국어": f"{n}번 손님은 창가로 갔다.", "영어": f"Guest {n} chose a window."}
        | ({"sid": n} if is_numbered else {})
        for n in range(60)
    ]
    (tmp_path / "a.json").write_text(json.dumps(pairs))
    run(tmp_path / "a.json", tmp_path / "out", hold_out=0.5, languages=("ko", "en"))
    sides = [list(corpus.read_clean(tmp_path / "out", held_out)) for held_out in (False, True)]
    numbers = [{re.search("[0-9]+", document.text)[0] for document in side} for side in sides]
    assert sum(map(len, sides)) == 120 and all(len(side) > 15 for side in numbers)
    assert not numbers[0] & numbers[1]


def test_a_field_of_the_corpus_called_pair_joins_no_documents(tmp_path):
    lines = [{"pair": 1, "text": f"{n}번째 손님은 창가로 갔다."} for n in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = run(tmp_path / "a.jsonl", tmp_path / "out", hold_out=0.5)["documents"]
    assert min(found["kept"], found["held_out"]) > 15


def test_of_a_result_as_input_only_its_documents_are_read(raw, tmp_path):
    run(raw, tmp_path / "first", hold_out=0.3, keep_dropped=True, duplicates="near")
    held_out = {document.id for document in corpus.read_clean(tmp_path / "first", held_out=True)}
    report = run(tmp_path / "first", tmp_path / "second")
    kept = [document.id for document in corpus.read_clean(tmp_path / "second")]
    assert kept == [document.id for document in corpus.read_clean(tmp_path / "first")]
    assert held_out and not held_out & set(kept)
    assert ["held out" in note["reason"] for note in report["left_out"]] == [True]
    found = list(corpus.read_documents(tmp_path / "first/held_out"))
    assert {document.id for document in found} == held_out


def test_a_corpus_that_is_its_own_evaluation_set_is_told_so(tmp_path):
    raw = tmp_path / "raw.jsonl"
    raw.write_text('{"text": "오늘은 날씨가 좋아서 친구와 산에 갔다가 왔다."}', "utf-8")
    with pytest.raises(UserError, match="left of 1: 1 × a piece of an evaluation set"):
        run(raw, tmp_path / "out", decontaminate=(str(raw),))


def test_text_that_no_format_reads_is_counted(tmp_path):
    raw = tmp_path / "raw.jsonl"
    answer = "물을 끓이고 면을 넣은 다음 뚜껑을 덮고 사 분을 기다립니다."
    record = {"text": "라면은 어떻게 끓이나요? 알려 주세요.", "tags": ["요리", "라면"]}
    lines = [record, record | {"answers": [{"body": answer}], "text": "국수는 어떻게 삶나요? 네?"}]
    raw.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    report = run(raw, tmp_path / "out")
    assert report["steps"][0]["unread_fields"] == {"answers[].body": 1}
    said = corpus.format_report(report)
    assert "not read: 1 records have text in 'answers[].body'" in said
    assert not any("unread_fields" in d.metadata for d in corpus.read_clean(tmp_path / "out"))


@pytest.mark.parametrize(
    ("record", "unread"),
    [
        # A machine's translation beside the pair (AI-Hub 번역), the questions about a passage.
        (
            {
                "sn": "1",
                "ko": "이 길로 오 분쯤 걸으면 오래된 우물이 나옵니다.",
                "mt": "If you walk five minutes on this road, an old well comes out.",
                "en": "Five minutes down this road there is an old well.",
            },
            {"mt": 1},
        ),
        (
            {
                "title": "우물",
                "paragraphs": [
                    {
                        "context": "마을 어귀의 우물은 삼백 년 전에 팠고, 가뭄에도 마르지 않았다.",
                        "qas": [
                            {
                                "id": "1",
                                "question": "사람들은 언제부터 이 물을 길어 마셨나요?",
                            }
                        ],
                    }
                ],
            },
            {"paragraphs[].qas[].question": 1},
        ),
        # Japanese is written without spaces.
        (
            {
                "text": "라면은 어떻게 끓이나요? 알려 주세요.",
                "answers": [{"body": "お湯を沸かして麺を入れ、蓋をして四分待ってください。"}],
            },
            {"answers[].body": 1},
        ),
    ],
    ids=["translation", "reading", "without spaces"],
)
def test_text_beside_what_a_layout_reads_is_counted(record, unread, tmp_path):
    raw = tmp_path / "raw.json"
    raw.write_text(json.dumps({"data": [record]}, ensure_ascii=False), "utf-8")
    assert run(raw, tmp_path / "out")["steps"][0]["unread_fields"] == unread


NOTE = "손님은 어제 산 우산의 손잡이가 부러졌다며 매장에 다시 왔다."
_SAID = ("어제 산 우산을 바꾸고 싶은데요.", "네, 영수증을 가지고 오셨나요?")


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("DOMAIN,SENTENCEID,SPEAKER,SENTENCE", ("의류{},1,고객", "의류{},2,점원")),
        ("대화셋일련번호,화자,고객질문(요청)", ("A{},고객", "A{},상담사")),
        ("file_id,번호,sentence", ("W{},1", "W{},2")),
        ("id,speaker_id,form", ("SDRW1.{}.1,S1", "SDRW1.{}.2,S2")),
    ],
    ids=["dialogue", "complaint", "unpublished", "forms"],
)
def test_a_long_text_beside_what_is_read_of_joined_rows_is_counted(columns, rows, tmp_path):
    """In the last document of a table and in those before it; neither what is read nor labels."""
    lines = [f"{columns},메모,표시"]
    for document in (1, 2):
        for row, said, note in zip(rows, _SAID, ("", NOTE), strict=True):
            lines.append(f'{row.format(document)},"{said}",{note},짧은 말')
    raw = tmp_path / "raw.csv"
    raw.write_text("\n".join(lines), "utf-8")
    report = run(raw, tmp_path / "out", duplicates="keep")
    assert report["documents"]["in"] == 2
    assert report["steps"][0]["unread_fields"] == {"메모": 2}
    assert "not read: 2 records have text in '메모'" in corpus.format_report(report)


def test_a_field_called_text_does_not_take_the_place_of_the_text(tmp_path):
    from datatrove.data import Document

    writer = blocks.CorpusWriter(tmp_path, CleanSettings())
    document = Document("본문이다.", "1", metadata={"text": "다른 글", "id": 7, "date": "2024"})
    list(writer.run([document]))
    written = tmp_path / "out/documents-00000.jsonl.gz"
    (line,) = gzip.decompress(written.read_bytes()).splitlines()
    assert json.loads(line) == {
        "id": "1",
        "text": "본문이다.",
        "source_text": "다른 글",
        "source_id": 7,
        "date": "2024",
    }


def test_every_reject_is_kept_with_its_place(raw, tmp_path):
    report = run(raw, tmp_path / "out")
    lines = (tmp_path / "out" / "rejects.jsonl").read_text("utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    assert report["rejects"]["count"] == 5
    assert report["rejects"]["first"] == rejects
    assert [(reject["file"], reject["line"]) for reject in rejects] == [
        ("raw/empty.jsonl", None),
        ("raw/reviews-1.jsonl", 11),
        ("raw/reviews-1.jsonl", 21),
        ("raw/reviews-2.jsonl", 11),
        ("raw/reviews-2.jsonl", 21),
    ]
    assert rejects[1]["start"] == '{"text": "끊긴'


@pytest.mark.parametrize("report", ["{}", "[]", '{"files": [{}]}', '{"files": 3}', "{"])
def test_a_folder_whose_report_is_damaged_is_refused_and_says_nothing_of_its_source(
    report, tmp_path
):
    (tmp_path / "report.json").write_text(report)
    with pytest.raises(UserError, match="report.json is damaged"):
        corpus.read_clean(tmp_path)
    assert corpus.sources_of([tmp_path]) == []


def test_the_beginning_of_a_reject_is_masked_before_it_is_cut(tmp_path):
    raw = tmp_path / "raw.jsonl"
    lines = ['{"text": "' + "가" * n + " 010-2345-6789 나" for n in range(70, 95)]
    lines += [
        '{"text": "https://example.com/news/1 에',
        '{"text": "오늘은 날씨가 좋아서 산에 갔다."}',
    ]
    raw.write_text("\n".join(lines), "utf-8")
    for urls, in_it in (("personal", True), ("all", False)):
        run([raw], tmp_path / urls, urls=urls)
        found = (tmp_path / urls / "rejects.jsonl").read_text("utf-8")
        assert found.count("\n") == 26 and "010" not in found and "2345" not in found
        assert max(len(json.loads(line)["start"]) for line in found.splitlines()) == 100
        assert ("example.com" in found) == in_it


def test_documents_keep_id_and_metadata_and_the_text_is_clean(raw, tmp_path):
    run(raw, tmp_path / "out")
    document = next(d for d in corpus.read_clean(tmp_path / "out") if d.id == "2-7")
    assert document.text == "7번째로 봐도 재미있는 영화다ㅋㅋ"
    assert document.metadata == {
        "movie_id": "7",
        "register": "review",
        "source_file": "raw/reviews-2.jsonl",
    }


def test_all_reviews_of_a_film_are_on_one_side(raw, tmp_path):
    run(raw, tmp_path / "out", hold_out=0.3, hold_out_by="movie_id")
    sides = [
        {d.metadata.get("movie_id") for d in corpus.read_clean(tmp_path / "out", held_out)}
        for held_out in (False, True)
    ]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) >= 40
    assert 4 <= len(sides[1]) <= 20


def contents(folder):
    files = sorted(path for path in folder.rglob("*.jsonl*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_one_and_two_workers_write_the_same_bytes(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_TASK_BYTES", 1)
    one = run(raw, tmp_path / "one", workers=1, hold_out=0.2)
    two = run(raw, tmp_path / "two", workers=2, hold_out=0.2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) > 4
    timing = ("seconds", "mb_per_second")
    assert {k: v for k, v in one.items() if k not in timing} == {
        k: v for k, v in two.items() if k not in timing
    }


def test_a_second_run_replaces_the_first_and_nothing_else(raw, tmp_path):
    run(raw, tmp_path / "out", hold_out=0.3)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "old.jsonl.gz").write_text("mine, too")
    run(raw / "news.txt", tmp_path / "out")
    names = sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert names == [
        "documents-00000.jsonl.gz",
        "notes.txt",
        "old.jsonl.gz",
        "rejects.jsonl",
        "report.json",
    ]
    with pytest.raises(UserError, match="held-out"):
        corpus.read_clean(tmp_path / "out", held_out=True)


def test_the_former_result_stays_until_the_new_one_is_whole(raw, tmp_path, monkeypatch):
    run(raw, tmp_path / "out", hold_out=0.3)
    before = contents(tmp_path / "out")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(blocks.CorpusWriter, "_write", full)
        with pytest.raises(UserError, match="No space left"):
            run(raw / "news.txt", tmp_path / "out")
    kept = {name: data for name, data in contents(tmp_path / "out").items() if name in before}
    assert kept == before
    assert len(list(corpus.read_clean(tmp_path / "out"))) > 200


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("again", ["news.txt", "reviews-1.jsonl"])
def test_a_stop_between_two_results_leaves_nothing_of_either(
    raw, tmp_path, monkeypatch, calls, again
):
    run(raw, tmp_path / "out", hold_out=0.3)
    left = [calls]

    def stop(whole):
        def call(*arguments, **settings):
            left[0] -= 1
            if not left[0]:
                raise OSError(errno.EIO, "stopped")
            return whole(*arguments, **settings)

        return call

    with monkeypatch.context() as patch:
        move = pipeline.move_into_place

        def stopped(*arguments):
            # The calls that change something.
            patch.setattr(os, "replace", stop(os.replace))
            patch.setattr(pathlib.Path, "unlink", stop(pathlib.Path.unlink))
            patch.setattr(pathlib.Path, "touch", stop(pathlib.Path.touch))
            return move(*arguments)

        patch.setattr(pipeline, "move_into_place", stopped)
        with pytest.raises(UserError, match="stopped"):
            run(raw / "news.txt", tmp_path / "out")
    run(raw / again, tmp_path / "out")
    run(raw / again, tmp_path / "expected")
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")
    names = {path.name for path in (tmp_path / "out").rglob("*")}
    assert names == {path.name for path in (tmp_path / "expected").rglob("*")}


@pytest.mark.parametrize("name", ["documents-00000.jsonl.gz", "rejects.jsonl", ".partial/mine"])
def test_what_no_run_has_written_is_never_removed(raw, tmp_path, name):
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(UserError, match="which no finished run there has listed"):
        run(raw, tmp_path / "out")
    assert mine.read_text() == "mine"


def test_a_report_that_is_none_is_not_taken_for_one(raw, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text('{"mine": 1}')
    with pytest.raises(UserError, match="is not the report of a run"):
        run(raw, tmp_path / "out")
    assert (tmp_path / "out" / "report.json").read_text() == '{"mine": 1}'


def test_files_with_rejects_are_named_up_to_twenty(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number:02}.jsonl").write_text('{"text": "끊긴\n{"text": 1}\n')
    (folder / "good.jsonl").write_text(
        '{"text": "그날 아침 항구는 조용했고 배들은 가만히 있었다."}'
    )
    report = run(folder, tmp_path / "out")
    text = corpus.format_report(report)
    assert text.count(".jsonl:1: broken JSON") == 20
    assert "; and 1 more in this file" in text
    assert "files with rejects: 5 more" in text


def test_how_texts_were_parted_and_what_was_left_out_is_said(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        lines = [f"{n}번째 손님이 맛있다고 적어 두었어요" for n in range(120)]
        (folder / name).write_text("\n".join(lines), "utf-8")
    (folder / "c.jsonl").write_text('{"title": "강", "text": "#redirect 내"}', "utf-8")
    (folder / ".hidden").touch()
    report = run(folder, tmp_path / "out")
    assert report["documents"]["kept"] == report["documents"]["in"] == 240
    text = corpus.format_report(report)
    assert "read as one document a line (--documents-by file, if it is one text): 2 files" in text
    assert "left out: 1 of raw/c.jsonl: pages that only lead to another one" in text
    assert "left out: 1 of raw: hidden files" in text
    assert run(folder, tmp_path / "out", documents_by="file")["documents"]["in"] == 2


def test_a_damaged_file_counts_once(tmp_path):
    lines = [
        json.dumps({"text": f"그날 {n * 7919 % 997}번째 배가 항구를 떠났다."}) for n in range(3000)
    ]
    whole = gzip.compress("\n".join(lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    report = run(tmp_path / "a.jsonl.gz", tmp_path / "out")
    assert report["documents"]["rejected"] == 1
    assert report["documents"]["in"] == report["documents"]["kept"] + 1
    assert list(report["rejects"]["reasons"]) == ["truncated file; what came before was kept"]


def test_zstd_holds_the_same_documents(raw, tmp_path):
    run(raw, tmp_path / "gzip", hold_out=0.3)
    run(raw, tmp_path / "zstd", hold_out=0.3, compression="zstd")
    for held_out in (False, True):
        same = [
            [(d.id, d.text, d.metadata) for d in corpus.read_clean(tmp_path / name, held_out)]
            for name in ("gzip", "zstd")
        ]
        assert same[0] == same[1]
    # One after the other into one folder: nothing of the first stays.
    run(raw, tmp_path / "gzip", compression="zstd")
    names = {path.suffix for path in (tmp_path / "gzip").glob("documents-*")}
    assert names == {".zst"}


def test_a_file_with_a_name_in_cp949_and_with_escapes_is_cleaned(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    good = '{"text": "그날 아침 항구는 조용했고 배들은 안개 속에 가만히 있었다."}\n'
    (folder / os.fsdecode("가.jsonl".encode("cp949"))).write_text(good)
    (folder / "\x1b]0;pwn\x07\x1b[2J.jsonl").write_text("{broken\n")
    command = [sys.executable, "-m", "gemma_ko_lib.cli", "clean", str(folder), "-o"]
    done = subprocess.run([*command, str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 3
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b]0;pwn\\x07" in done.stdout
    (document,) = corpus.read_clean(tmp_path / "out")
    assert document.metadata["source_file"] == "raw/가.jsonl"


def test_a_full_disk_is_an_error_and_the_run_goes_on_when_there_is_room(raw, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(blocks.CorpusWriter, "_write", full)
        with pytest.raises(UserError, match="No space left on device"):
            run(raw, tmp_path / "out")
    with pytest.raises(UserError, match="no finished folder"):
        corpus.read_clean(tmp_path / "out")
    run(raw, tmp_path / "out")
    run(raw, tmp_path / "expected")
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")
    assert not (tmp_path / "out" / ".partial").exists()


def test_a_disk_that_is_full_from_the_start_leaves_nothing_that_ends_the_next_run(
    raw, tmp_path, monkeypatch
):
    def full(path, *arguments):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "write_text", full)
        with pytest.raises(UserError, match="No space left on device"):
            run(raw, tmp_path / "out")
    assert run(raw, tmp_path / "out")["documents"]["kept"] == 395


def test_a_folder_below_home_is_read_by_the_name_that_it_was_written_to(raw, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    report = run(raw, "~/out")
    assert len(list(corpus.read_clean("~/out"))) == report["documents"]["kept"]


def test_a_changed_or_missing_file_is_noticed(raw, tmp_path):
    run(raw, tmp_path / "out")
    (tmp_path / "out" / "documents-00000.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(UserError, match="missing or changed"):
        corpus.read_clean(tmp_path / "out")


@pytest.fixture
def personal(tmp_path):
    """Three notices, two of them nearly equal, with telephone numbers; one is an exam question."""
    body = " ".join(f"{i}번째 안내 문장입니다." for i in range(40))
    question = "다음 중 조선 시대에 한양으로 불리던 도시는 오늘날 어느 도시인지 고르시오"
    texts = [
        f"{body} 문의는 010-0123-4567로 하세요.",
        f"{body} 문의는 010-0123-4567로 하세요!! 감사합니다.",
        f"어제 시험에 나왔다. {question} 어렵지 않았다.",
        "전화 주세요 010-0765-4321",
    ]
    lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    (tmp_path / "notices.jsonl").write_text("\n".join(lines), "utf-8")
    exam = json.dumps({"question": question, "choices": ["서울", "부산"]}, ensure_ascii=False)
    (tmp_path / "exam.jsonl").write_text(exam, "utf-8")
    return tmp_path / "notices.jsonl"


def test_personal_data_leaks_and_duplicates_are_counted_listed_and_gone(personal, tmp_path):
    out, exam = tmp_path / "out", tmp_path / "exam.jsonl"
    report = run(personal, out, duplicates="near", decontaminate=exam)
    steps = {step["name"]: step for step in report["steps"]}
    assert list(steps) == ["read", "clean", "mask", "decontaminate", "duplicates", "write"]
    assert steps["mask"]["masked"]["phone"]["count"] == 3
    assert (steps["decontaminate"]["in"], steps["decontaminate"]["out"]) == (4, 3)
    assert steps["decontaminate"]["evaluation_sets"]["items"] == 1
    assert (steps["duplicates"]["exact"], steps["duplicates"]["near"]) == (0, 1)
    assert report["documents"]["dropped"] == 2
    documents = {document.id: document.text for document in corpus.read_clean(out)}
    assert documents["3"] == "전화 주세요 [전화번호]"
    assert set(documents) == {"1", "3"}
    for name, document in (("duplicates", "0"), ("contaminated", "2")):
        lines = (out / f"{name}.jsonl").read_text("utf-8").splitlines()
        assert [json.loads(line)["id"] for line in lines] == [document]
    assert "duplicates: 0 exact, 1 near" in corpus.format_report(report)


def test_no_identifier_gets_into_what_a_run_leaves(personal, tmp_path):
    personal.write_text(
        personal.read_text("utf-8") + '\n{"text": "010-0123-4567 끊긴\n{"text": "010-0123-4567"}',
        "utf-8",
    )
    run(personal, tmp_path / "out", duplicates="near")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            text = gzip.decompress(data) if path.suffix == ".gz" else data
            assert b"0123-4567" not in text, path


def test_no_identifier_gets_into_the_reasons_and_names_of_a_report(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    token = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJob25n" * 50 + ".c2lnbmF0dXJl" * 3
    said = "오늘은 날씨가 좋아서 산에 갔다가 왔다."
    texts = {
        "a.csv": "홍길동,010-2345-6789,hong.gildong@example.com\n임꺽정,010-2345-6780,서울\n",
        "b.csv": "".join(f"번호,{'가' * n} 010-2345-6789 끝\n" for n in range(80, 100)),
        "c.json": json.dumps([{"token": token, "words": [said]}]),
        "d.csv": f"text,n\n{'가' * 80} 010-2345-6789 끝,1,2\n",
        "e.jsonl": json.dumps({"text": said, "by": {"hong.gildong@example.com": said[::-1]}}),
        "f.json": f'[{{"text": "{"가" * 85} 010-2345-6789 끝", "n" 3}}, {{"text": "{said}"}}]',
    }
    for name, text in texts.items():
        (raw / name).write_text(text, "utf-8")
    report = run(raw, tmp_path / "out")
    assert report["rejects"]["file_count"] == 5
    assert report["steps"][0]["unread_fields"] == {"[이메일]": 1}
    left = [path for path in (tmp_path / "out").rglob("*.json*") if path.suffix != ".gz"]
    for found in (*(path.read_text("utf-8") for path in left), corpus.format_report(report)):
        assert not any(part in found for part in ("2345", "010", "gildong", "eyJ"))


def test_a_number_in_pieces_is_masked_in_what_is_dropped(tmp_path):
    text = "Call us any time: 010-<b>2345</b>-6789, <b>we</b> are <i>there</i>."
    kept = {"text": "오늘은 날씨가 좋아서 친구와 산에 갔다가 왔다."}
    raw = tmp_path / "raw.jsonl"
    raw.write_text("\n".join(map(json.dumps, ({"text": text}, kept))), "utf-8")
    report = run(raw, tmp_path / "out", keep_dropped=True)
    with gzip.open(tmp_path / "out/dropped/clean-00000.jsonl.gz") as file:
        (line,) = file
    assert json.loads(line)["text"] == "Call us any time: [전화번호], we are there."
    assert "2345" not in json.dumps(report)


def test_what_stands_beside_a_text_is_masked_as_the_text_is(tmp_path):
    petition = {"num_agree": 3, "title": "010-0123-4567 로 전화하세요", "content": "길이 어둡다."}
    petition |= {"계좌번호": "110-012-345678", "010-0123-4567": 1, "주문번호": "01001234567"}
    short = {"text": "굿", "register": "review", "answer": "hong@example.com 으로 보내요"}
    raw = tmp_path / "raw.jsonl"
    raw.write_text("\n".join(map(json.dumps, (petition, short))), "utf-8")
    seen = set()
    for pii, hidden in (("placeholder", True), ("surrogate", True), ("keep", False)):
        run(raw, tmp_path / pii, pii=pii, keep_dropped=True)
        packed = (tmp_path / pii).rglob("*.jsonl.gz")
        lines = b"".join(gzip.decompress(path.read_bytes()) for path in packed).splitlines()
        kept, dropped = sorted(map(json.loads, lines), key=lambda line: "dropped_by" in line)
        assert (dropped["dropped_by"], kept["source_file"]) == ("too_short", "raw.jsonl")
        assert kept["text"].startswith(kept["title"])
        personal = ("0123-4567", "hong@", "110-012")
        assert [part.encode() in b"".join(lines) for part in personal] == [not hidden] * 3
        assert kept["주문번호"] == "01001234567"
        seen.add(kept["title"])
    assert len(seen) == 3


def test_what_tells_documents_apart_does_so_without_personal_data(tmp_path):
    said = "오늘은 날씨가 좋아서 친구와 산에 갔다가 왔다."
    lines = [
        {
            "id": f"hong{n}@example.com",
            "pair": 1,
            "contact": f"010-0123-4{n:03}",
            "text": f"{n}번째로 {said}",
        }
        for n in range(60)
    ]
    lines += [{"id": "kim@example.com", "text": "A text in English, which is dropped."}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    how = {"hold_out": 0.5, "hold_out_by": "contact", "keep_dropped": True}
    report = run(tmp_path / "a.jsonl", tmp_path / "out", **how)
    assert min(report["documents"][side] for side in ("kept", "held_out")) > 15
    packed = (tmp_path / "out").rglob("*.jsonl.gz")
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in packed).splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == 61
    for hidden in ("hong", "kim", "0123-4"):
        assert hidden not in str(lines) + json.dumps(report)
    run(tmp_path / "a.jsonl", tmp_path / "out", pii="keep")
    assert next(corpus.read_clean(tmp_path / "out")).id == "hong0@example.com"


def test_surrogates_look_like_numbers_and_differ_by_seed(personal, tmp_path):
    texts = []
    for seed in (1, 1, 2):
        run(personal, tmp_path / "out", pii="surrogate", seed=seed)
        texts.append([document.text for document in corpus.read_clean(tmp_path / "out")])
    assert texts[0] == texts[1] != texts[2]
    assert "0123-4567" not in "".join(texts[0])
    run(personal, tmp_path / "out", pii="keep")
    assert any("0123-4567" in document.text for document in corpus.read_clean(tmp_path / "out"))


def test_documents_in_other_languages_are_kept_when_they_are_wanted(tmp_path):
    english = "The harbour was quiet that morning, and the boats lay still in the fog."
    korean = "그날 아침 항구는 조용했고 배들은 안개 속에 가만히 있었다."
    lines = [json.dumps({"text": english}), json.dumps({"text": korean})]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    run(tmp_path / "a.jsonl", tmp_path / "out")
    assert [document.text for document in corpus.read_clean(tmp_path / "out")] == [korean]
    run(tmp_path / "a.jsonl", tmp_path / "out", languages=("ko", "en"))
    assert len(list(corpus.read_clean(tmp_path / "out"))) == 2


def test_nothing_left_says_why(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Only English here."}\n{"text": "굿"}\nno json\n')
    with pytest.raises(UserError, match="No document is left of 3: 1 × foreign; 1 × too_short"):
        run(tmp_path / "a.jsonl", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["nothing_left"].startswith("No document is left of 3")
    assert report["documents"] == {"in": 3, "rejected": 1, "dropped": 2, "kept": 0, "held_out": 0}
    assert (tmp_path / "out" / "rejects.jsonl").read_text("utf-8").count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "rejects.jsonl",
        "report.json",
    ]
    with pytest.raises(UserError, match="has no documents"):
        corpus.read_clean(tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "abacus"}, "No executor 'abacus'"),
        ({"workers": 0}, "workers"),
        ({"hold_out": 1.0}, "hold_out"),
        ({"hold_out_by": "movie_id"}, "hold_out_by movie_id needs hold_out"),
        ({"languages": ("ko", "jp")}, "languages are among ko, en, zh, ja, not jp"),
        ({"languages": ()}, "languages are among"),
        ({"documents_by": "page"}, "documents_by is one of auto, line, blank"),
        ({"compression": "rar"}, "compression is one of gzip, zstd, not rar"),
        ({"title_field": "제목"}, "title_field and id_field need text_field"),
        ({"pii": "burn"}, "pii is one of placeholder, surrogate, keep, not burn"),
        ({"duplicates": "all"}, "duplicates is one of near, exact, keep, not all"),
        ({"decontaminate": ("nowhere.jsonl",)}, "no evaluation set nowhere.jsonl"),
        ({"hold_out": 0.5, "hold_out_by": "film"}, "No document has the field 'film'"),
    ],
)
def test_impossible_settings_are_named(raw, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        run(raw, tmp_path / "out", **settings)


def test_the_output_folder_may_not_hold_the_inputs(raw, tmp_path):
    for output in (raw, raw / "clean", tmp_path):
        with pytest.raises(UserError, match="lie in one another"):
            run(raw, output)
    assert len(list(raw.iterdir())) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": Limit(documents=10)}, "A limit is for inputs open:NAME"),
        ({"slurm": {"partition": "cpu"}}, "Options for Slurm need the executor slurm"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(raw, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        corpus.clean(raw, tmp_path / "out", progress=False, **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["가" * 300, "~nobody-of-this-name/a.jsonl", "a\0.jsonl"])
def test_what_can_be_no_path_is_said_to_be_missing(tmp_path, path):
    with pytest.raises(UserError, match="no file or folder"):
        run(path, tmp_path / "out")


def test_missing_and_empty_inputs_are_errors(tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        run(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="Nothing to read"):
        run(tmp_path / "empty", tmp_path / "out")


def test_a_run_is_quiet(raw, tmp_path, capfd):
    run(raw, tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_importing_the_stage_loads_nothing_heavy():
    code = (
        "import sys, gemma_ko_lib.corpus; sys.exit(bool({'datatrove', 'numpy'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_small_files_share_a_task_and_large_ones_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_TASK_BYTES", 100)
    for name, size in (("a", 40), ("b", 40), ("c", 300), ("d", 60), ("e", 60)):
        (tmp_path / f"{name}.txt").write_text("x" * size)
    tasks = pipeline.split_into_tasks(find_files(tmp_path))
    names = [[file.name[-5] for file in task] for task in tasks]
    assert names == [["a", "b"], ["c"], ["d"], ["e"]]
