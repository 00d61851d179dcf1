"""The pipeline: complete counters, the same bytes always, and never half a result for whole."""

import errno
import gzip
import json
import subprocess
import sys
import textwrap

import pytest

from gemma_ko_lib import corpus
from gemma_ko_lib.corpus import CleanSettings, blocks, pipeline
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
    read, clean, write = report["steps"]
    assert read["in"] == read["out"] + read["rejected"]
    assert clean["in"] == read["out"]
    assert clean["in"] == clean["out"] + sum(r["count"] for r in clean["dropped_by"].values())
    assert write["in"] == clean["out"] == write["out"]
    assert read["decoded_from_cp949"] == 1
    assert clean["dropped_by"]["too_short"] == {
        "count": 2,
        "example": {"id": "raw/reviews-1.jsonl:31", "text": "굿"},
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


def test_a_killed_run_is_not_taken_for_whole(raw, tmp_path):
    run(raw, tmp_path / "out")
    script = f"""
        import os, signal
        from gemma_ko_lib import corpus
        from gemma_ko_lib.corpus import blocks
        clean_text, seen = blocks.clean_text, []
        def dying(text, register):
            seen.append(text)
            if len(seen) == 150:
                os.kill(os.getpid(), signal.SIGKILL)
            return clean_text(text, register)
        blocks.clean_text = dying
        corpus.clean({str(raw)!r}, {str(tmp_path / "out")!r}, progress=False)
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert died.returncode == -9, died.stderr.decode()
    with pytest.raises(UserError, match="not a finished set"):
        corpus.read_clean(tmp_path / "out")
    assert run(raw, tmp_path / "out")["documents"]["kept"] == 395
    assert not (tmp_path / "out" / ".partial").exists()


def test_a_full_disk_is_an_error_that_leaves_nothing_behind(raw, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blocks.CorpusWriter, "_write", full)
    with pytest.raises(UserError, match="No space left on device"):
        run(raw, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_changed_or_missing_file_is_noticed(raw, tmp_path):
    run(raw, tmp_path / "out")
    (tmp_path / "out" / "documents-00000.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(UserError, match="missing or changed"):
        corpus.read_clean(tmp_path / "out")


def test_nothing_left_says_why(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Only English here."}\n{"text": "굿"}\nno json\n')
    with pytest.raises(
        UserError, match="No document is left of 3: 1 × hangul_share; 1 × too_short"
    ):
        run(tmp_path / "a.jsonl", tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()
    assert (tmp_path / "out" / "rejects.jsonl").read_text("utf-8").count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "abacus"}, "No executor 'abacus'"),
        ({"workers": 0}, "workers"),
        ({"hold_out": 1.0}, "hold_out"),
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
    tasks = pipeline.split_into_tasks(pipeline.find_files(tmp_path))
    names = [[file.name[-5] for file in task] for task in tasks]
    assert names == [["a", "b"], ["c"], ["d"], ["e"]]
