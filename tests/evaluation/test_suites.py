"""Suites: what can be read is read, what cannot is named; results with their baselines."""

import dataclasses
import json
import os
import tracemalloc

import numpy as np
import pytest

from gemma_ko_lib import evaluation, runtime
from gemma_ko_lib.evaluation import Item, Score, Suite, statistics
from gemma_ko_lib.evaluation.null_models import band, null_models
from gemma_ko_lib.evaluation.results import macro_f1
from gemma_ko_lib.evaluation.statistics import cluster_interval, interval, share_interval
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization import load_tokenizer


def write(path, *records):
    path.write_text("\n".join(json.dumps(record) for record in records), "utf-8")


COPA = {
    "premise": "비가 왔다.",
    "ask": "결과",
    "choices": ["땅이 젖었다.", "해가 떴다."],
    "label": 0,
}


def test_kobest_is_read_in_both_layouts_with_the_harness_prompts(tmp_path):
    published = {
        "premise": "땅이 젖었다.",
        "question": "원인",
        "alternative_1": "해가 떴다.",
        "alternative_2": "비가 왔다.",
        "label": 1,
    }
    write(tmp_path / "kobest_copa_dev.jsonl", COPA, published)
    (suite,) = evaluation.load_suites("kobest", tmp_path)
    assert suite.items[0].prompt == "비가 왔다.  그래서"
    assert suite.items[1].prompt == "땅이 젖었다.  왜냐하면"
    assert suite.items[1].choices[suite.items[1].answer] == " 비가 왔다."


PUBLISHED = {
    "BoolQ": "ID\tText\tQuestion\tAnswer\n1\t문은 아홉 시에 열린다.\t열 시에 여나?\tFalse\n"
    "2\t이 길은 바다로 간다.\t바다로 가나?\tTrue",
    "COPA": "ID\tsentence\tquestion\t1\t2\tAnswer\n"
    "1\t눈이 왔다.\t결과\t길이 미끄럽다.\t꽃이 폈다.\t1\n"
    "2\t배가 아팠다.\t원인\t푹 잤다.\t많이 먹었다.\t2",
    "HellaSwag": "context\tchoice1\tchoice2\tchoice3\tchoice4\tlabel\n"
    "물을 끓였다.\t날았다.\t차를 탔다.\t얼렸다.\t심었다.\t1",
    "SentiNeg": "ID\tLabel\tText\n1\t1\t빨리 와서 좋네요\n2\t0\t빨리 와도 싫네요",
    "WiC": "ID\tTarget\tSENTENCE1\tDictionary 1\tLink 1\tSENTENCE2\tDictionary 2\tLink2\tANSWER\n"
    "1\t눈\t[눈]이 온다.\ta\tb\t[눈]이 크다.\tc\td\tFALSE",
}


@pytest.fixture
def published(tmp_path):
    for task, text in PUBLISHED.items():
        (tmp_path / task).mkdir()
        (tmp_path / task / "dev.tsv").write_text(text, "utf-8")
    return tmp_path


def test_kobest_is_read_from_the_folders_that_it_is_published_in(published):
    suites = {suite.name: suite for suite in evaluation.load_suites("kobest", published)}
    assert not any(suite.rejects for suite in suites.values())
    assert {name: [item.answer for item in suite.items] for name, suite in suites.items()} == {
        "kobest_boolq": [0, 1],
        "kobest_copa": [0, 1],
        "kobest_hellaswag": [1],
        "kobest_sentineg": [1, 0],
        "kobest_wic": [0],
    }
    assert suites["kobest_boolq"].items[0].prompt.startswith("문은 아홉 시에 열린다. 질문: 열 시에")
    assert suites["kobest_sentineg"].items[0].prompt == "문장: 빨리 와서 좋네요 긍부정:"
    assert "문장2: [눈]이 크다." in suites["kobest_wic"].items[0].prompt
    # One task's folder does as well, and the test set comes before the development set.
    one = published / "BoolQ"
    (one / "test.tsv").write_text(PUBLISHED["BoolQ"].rpartition("\n")[0], "utf-8")
    (suite,) = evaluation.load_suites("kobest", one)
    assert len(suite.items) == 1


def test_kobest_is_read_from_the_folders_that_the_hub_has(tmp_path):
    for split, answer in (("train", 1), ("validation", 0), ("test", 1)):
        (tmp_path / "boolq").mkdir(exist_ok=True)
        record = {"paragraph": "문은 아홉 시에 열린다.", "question": "열리나?", "label": answer}
        write(tmp_path / "boolq" / f"{split}.jsonl", record)
    (suite,) = evaluation.load_suites("kobest", tmp_path)
    assert [item.answer for item in suite.items] == [1]


def test_every_task_of_kobest_is_read_with_the_fields_of_the_hub(tmp_path):
    records = {
        "boolq": {"paragraph": "문은 아홉 시에 열린다.", "question": "열 시에 여나?"},
        "copa": {"premise": "비가 왔다.", "question": "결과"}
        | {f"alternative_{n}": f"땅이 {n}번 젖었다." for n in (1, 2)},
        "hellaswag": {"context": "물을 끓였다.", **{f"ending_{n}": f"{n}." for n in range(1, 5)}},
        "sentineg": {"sentence": "빨리 와서 좋네요"},
        "wic": {"word": "눈", "context_1": "[눈]이 온다.", "context_2": "[눈]이 크다."},
    }
    for task, record in records.items():
        write(tmp_path / f"kobest_{task}.jsonl", {**record, "label": 1})
    suites = evaluation.load_suites("kobest", tmp_path)
    assert [suite.name for suite in suites] == [f"kobest_{task}" for task in records]
    assert not any(suite.rejects for suite in suites)
    assert suites[3].items[0].prompt == "문장: 빨리 와서 좋네요 긍부정:"


def test_examples_are_read_from_the_training_set_and_only_on_request(published, tmp_path):
    for task, text in PUBLISHED.items():
        (published / task / "train.tsv").write_text(text.replace("다", "따"), "utf-8")
    assert all(suite.examples is None for suite in evaluation.load_suites("kobest", published))
    suites = evaluation.load_suites("kobest", published, examples=True)
    assert {s.name: (s.examples.source, len(s.examples.items)) for s in suites} == {
        f"kobest_{task.lower()}": (f"{task}/train.tsv", text.count("\n"))
        for task, text in PUBLISHED.items()
    }
    assert all(len(suite.items) == len(suite.examples.items) for suite in suites)
    flat = tmp_path / "flat"
    flat.mkdir()
    write(flat / "kobest_copa_dev.jsonl", COPA)
    write(flat / "kobest_copa_train.jsonl", {**COPA, "premise": "눈이 왔다."})
    (suite,) = evaluation.load_suites("kobest", flat, examples=True)
    assert suite.examples.source == "kobest_copa_train.jsonl"
    (asked,) = evaluation.few_shot(suite, 1).items
    assert asked.prompt == "눈이 왔다.  그래서 땅이 젖었다.\n\n비가 왔다.  그래서"
    # Alone it is what there is to test on, and gives no examples.
    (flat / "kobest_copa_dev.jsonl").unlink()
    (suite,) = evaluation.load_suites("kobest", flat, examples=True)
    assert suite.examples is None and len(suite.items) == 1


def test_nsmc_has_its_examples_beside_the_tested_reviews(tmp_path):
    for split, text in (("train", "정말 좋다"), ("test", "돈이 아깝다")):
        (tmp_path / f"ratings_{split}.txt").write_text(f"1\t{text}\t1", "utf-8")
    (suite,) = evaluation.load_suites("nsmc", tmp_path, examples=True)
    (asked,) = evaluation.few_shot(suite, 1).items
    assert asked.prompt == "문장: 정말 좋다 긍부정: 긍정\n\n문장: 돈이 아깝다 긍부정:"
    assert "ratings_train.txt" in evaluation.few_shot(suite, 1).shots_from


def test_a_line_of_other_columns_is_listed(published):
    path = published / "SentiNeg" / "dev.tsv"
    path.write_text(PUBLISHED["SentiNeg"] + "\n3\t1", "utf-8")
    (suite,) = evaluation.load_suites("kobest_sentineg", published)
    assert suite.rejects == ("dev.tsv, line 4: 2 columns, not the 3 of the first line",)


def test_bad_items_are_listed_and_good_ones_kept(tmp_path):
    path = tmp_path / "copa.jsonl"
    write(
        path,
        COPA,
        {**COPA, "label": 2},
        {**COPA, "choices": ["땅이 젖었다."]},
        {**COPA, "choices": ["같다.", "같다."]},
        {key: value for key, value in COPA.items() if key != "label"},
        {**COPA, "premise": None},
    )
    path.write_text(path.read_text() + "\n{broken", "utf-8")
    (suite,) = evaluation.load_suites("kobest_copa", tmp_path)
    assert len(suite.items) == 1
    for number, (line, why) in enumerate(
        zip(
            suite.rejects,
            ("label is 2", "not 2 different", "not 2 different", "no field 'label'", "premise", ""),
            strict=True,
        ),
        2,
    ):
        assert line.startswith(f"copa.jsonl, line {number}: ") and why in line


def test_half_a_surrogate_is_listed_in_lines_and_in_a_list(tmp_path):
    path = tmp_path / "copa.jsonl"
    lines = [json.dumps({**COPA, "id": str(n)}) for n in range(3)]
    lines[1] = lines[1].replace('"premise": "', '"premise": "\\ud800')
    for text in ("\n".join(lines), f"[{', '.join(lines)}]"):
        path.write_text(text, "utf-8")
        (suite,) = evaluation.load_suites("kobest_copa", tmp_path)
        assert [item.id for item in suite.items] == ["0", "2"]
        assert suite.rejects == ("copa.jsonl, line 2: half a surrogate pair in a text",)


def test_items_nested_too_deep_and_a_pipe_are_refused(tmp_path):
    path = tmp_path / "copa.jsonl"
    path.write_text(f"[{json.dumps(COPA)}, {'[' * 100_000}", "utf-8")
    with pytest.raises(UserError, match=r"copa.jsonl cannot be read \(record 2 is nested too deep"):
        evaluation.load_suites("kobest_copa", tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"copa.jsonl cannot be read \(it is not a file\)"):
        evaluation.load_suites("kobest_copa", tmp_path)


def test_nsmc_is_read_as_published_and_from_stars(tmp_path):
    published = (
        "id\tdocument\tlabel\n1\t다시 봐도 좋다\t1\n2\t돈이 아깝다\t0\n3\t그냥\t7\n4\t\t1\n5 졸렸다"
    )
    (tmp_path / "ratings_test.txt").write_text(published, "utf-8")
    (suite,) = evaluation.load_suites("nsmc", tmp_path)
    assert [(item.prompt, item.choices[item.answer]) for item in suite.items] == [
        ("문장: 다시 봐도 좋다 긍부정:", " 긍정"),
        ("문장: 돈이 아깝다 긍부정:", " 부정"),
    ]
    assert [line.split(":")[0] for line in suite.rejects] == [
        f"ratings_test.txt, line {number}" for number in (4, 5, 6)
    ]
    assert "1 columns" in suite.rejects[2]
    # Five to eight stars are neither, by NSMC's rule, and no fault of the file.
    stars = (1, 4, 5, 8, 9, 10, 0, 95, "10")
    write(tmp_path / "raw.jsonl", *({"text": f"{n}점", "rating": n} for n in stars))
    (suite,) = evaluation.load_suites("nsmc", tmp_path / "raw.jsonl")
    assert [item.answer for item in suite.items] == [0, 0, 1, 1] and len(suite.rejects) == 3
    # Always praising is half right, however many reviews praise.
    lopsided = dataclasses.replace(suite, items=suite.items[1:])
    praise = [[Score(-2.0, 1, False), Score(-1.0, 1, False)]] * 3
    result = evaluation.judge(lopsided, praise)
    assert result.majority == pytest.approx(2 / 3) and result.mean_of_groups == pytest.approx(1 / 2)


def test_a_line_ends_at_a_line_break_and_nowhere_else(tmp_path):
    """str.splitlines also cuts at U+2028 and U+0085, which reviews hold."""
    path = tmp_path / "ratings_test.txt"
    lines = ("\ufeffid\tdocument\tlabel", "1\t좋다\u2028정말\t1", "2\t글쎄\x85별로\t0")
    path.write_bytes("\r\n".join(lines).encode())
    (suite,) = evaluation.load_suites("nsmc", path)
    assert [item.answer for item in suite.items] == [1, 0] and not suite.rejects


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("kmmmlu", None, "No suite 'kmmmlu'"),
        ("kobest_wik", ".", "No suite 'kobest_wik'"),
        ("kobest", None, "--data"),
        ("nsmc", None, "--data"),
        ("nsmc", ".", "ratings_test.txt cannot be read"),
        ("kobest", ".", "no file for KoBEST"),
        ("kobest_boolq", ".", r"\*boolq\*\.jsonl"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(name, folder, message, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluation.load_suites(name, folder and tmp_path / folder)


def test_an_empty_suite_and_two_files_for_one_task_are_refused(tmp_path):
    (tmp_path / "copa.jsonl").write_text("", "utf-8")
    with pytest.raises(UserError, match="has no item"):
        evaluation.load_suites("kobest", tmp_path)
    write(tmp_path / "copa_test.jsonl", COPA)
    with pytest.raises(UserError, match="several files for copa"):
        evaluation.load_suites("kobest", tmp_path)


def suite_of(answers, sizes, groups):
    items = [
        Item(str(n), "", tuple("가" * size for size in its), answer, group)
        for n, (answer, its, group) in enumerate(zip(answers, sizes, groups, strict=True))
    ]
    return Suite("test", tuple(items))


def test_accuracies_margins_and_baselines_by_hand():
    suite = suite_of([0, 1, 1, 1], [(1, 2), (1, 2), (2, 3), (5, 5)], "aabc")
    nats = [(-1.0, -2.0), (-1.0, -3.0), (-4.0, -1.5), (-2.0, -2.0)]
    result = evaluation.judge(suite, [[Score(x, 1, False) for x in its] for its in nats])
    np.testing.assert_allclose(result.right, [1, 0, 1, 0.5])  # a tie is half a point
    np.testing.assert_allclose(result.margins, [1, -2, 2.5, 0])
    assert result.micro == pytest.approx(2.5 / 4)
    assert result.mean_of_groups == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert result.majority == 3 / 4
    assert result.length_only == pytest.approx(2.5 / 4)  # the longest: wrong, right, right, tie
    low, high = result.interval
    assert low < result.micro < high


def test_macro_f1_is_the_mean_of_the_classes():
    answers, chosen = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0]
    # F1 by hand: 2·2/(3+4), 2·1/(2+2), 0
    assert macro_f1(answers, chosen) == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)
    suite = dataclasses.replace(suite_of([0, 1, 1], [(1, 2)] * 3, "aaa"), labels=True)
    always_first = [[Score(-1.0, 1, False), Score(-2.0, 1, False)]] * 3
    assert evaluation.judge(suite, always_first).macro_f1 == pytest.approx(1 / 4)


def test_items_of_one_frame_count_as_one_draw():
    """Ten frames of ten items, each frame all right or all wrong: ten observations, not 100."""
    right, frames = np.repeat([1.0, 0.0] * 5, 10), np.repeat(np.arange(10), 10)
    low, high = cluster_interval(right, frames)
    assert high - low > 2 * np.diff(share_interval(right))[0]
    np.testing.assert_allclose((low, high), interval([1.0, 0.0] * 5))
    assert cluster_interval(right, ["one"] * 100) is None


def test_json_says_what_its_figures_are():
    suite = suite_of([0, 1], [(1, 2)] * 2, "ab")
    suite = dataclasses.replace(
        suite, items=tuple(dataclasses.replace(item, cluster="x") for item in suite.items)
    )
    found = evaluation.judge(suite, [[Score(-1.0, 1, False), Score(-2.0, 1, False)]] * 2).as_dict()
    assert (found["unit"], found["items"], found["clusters"]) == ("share", 2, 1)
    assert found["accuracy"] == 0.5 and found["macro_f1"] is None
    assert found["interval"] is None and "one cluster" in found["no_interval_because"]


def test_models_without_the_skill_get_half_of_the_minimal_pairs():
    (suite,) = evaluation.load_suites("grammar")
    some = [item for item in suite.items if item.group in ("an_anh", "topic_subject", "voice")]
    suite = dataclasses.replace(suite, items=tuple(some))
    found = null_models(load_tokenizer("nano"), suite, seeds=6)
    random = [f"random weights {n}" for n in range(6)]
    assert set(found) == {"fewest tokens", "unigram", *random}
    bands = band(list(found.values()))
    assert set(bands) == {"", "an_anh", "topic_subject", "voice"}
    for name in ("fewest tokens", "unigram"):
        assert [a for a, _, _ in found[name].by_group().values()] == pytest.approx([0.5] * 3)
    # One preference for a piece decides many pairs of a phenomenon, now this way and now that.
    assert bands["an_anh"][0] < 0.45 and bands["an_anh"][1] > 0.55
    for group in bands.keys() - {""}:
        shares = [found[name].by_group()[group][0] for name in random]
        assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_per_character_scores_do_not_punish_length():
    suite = suite_of([1], [(1, 4)], "a")
    scores = [[Score(-1.0, 1, False), Score(-2.0, 4, False)]]
    assert evaluation.judge(suite, scores).micro == 0
    per_character = Suite("test", suite.items, per_character=True)
    assert evaluation.judge(per_character, scores).micro == 1


def test_a_paired_comparison_is_sharper_than_two_intervals():
    random = np.random.default_rng(0)
    first = (random.random(400) < 0.5).astype(float)
    second = np.maximum(first, random.random(400) < 0.06)
    change, (low, high) = evaluation.paired_difference(first, second)
    assert change == pytest.approx(second.mean() - first.mean())
    assert 0 < low < change < high
    # Their own intervals overlap.
    assert interval(first)[1] > interval(second)[0]
    with pytest.raises(ValueError, match="cannot be paired"):
        evaluation.paired_difference(first, second[1:])


def test_a_comparison_of_items_that_share_frames_is_one_of_frames():
    frames = np.repeat(np.arange(10), 10)
    better = np.repeat([1.0, 0.0] * 5, 10)  # in every other frame all items, in the others none
    change, apart = evaluation.paired_difference(np.zeros(100), better)
    same, together = evaluation.paired_difference(np.zeros(100), better, frames)
    assert change == same == 0.5 and together == cluster_interval(better, frames)
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_one_item_says_nothing_of_another():
    assert evaluation.paired_difference([0.0], [1.0]) == (1.0, None)


def test_two_right_of_two_are_no_certainty():
    low, high = share_interval([1, 1])
    assert 0.3 < low < 0.4 and high == 1
    # With many items the two kinds of interval agree.
    right = np.repeat([0.0, 1.0], [120, 280])
    np.testing.assert_allclose(share_interval(right), interval(right), atol=0.005)


def test_an_interval_over_many_items_is_the_same_in_parts(monkeypatch):
    values, weights = np.random.default_rng(1).random((2, 3000))
    drawn = statistics.draws(3000)
    means = values[drawn].sum(1) / weights[drawn].sum(1)
    expected = tuple(np.percentile(means, [2.5, 97.5]))
    monkeypatch.setattr(statistics, "_MOST_DRAWN", 70_000)  # 23 sets at once, the last fewer
    tracemalloc.start()
    assert interval(values, weights) == expected
    assert tracemalloc.get_traced_memory()[1] < 5e6  # all at once: 144 MB
    tracemalloc.stop()


def test_no_quiz_answer_is_taught_by_the_instructions():
    """Fine-tuning on the one would otherwise show as knowledge in the other."""
    from kiwipiepy import Kiwi

    kiwi = Kiwi()

    def words(text: str) -> set[str]:
        kept = ("NNG", "NNP", "SL", "SN", "VV", "VA")
        return {t.form for t in kiwi.tokenize(text) if t.tag in kept} - {"질문", "정답"}

    def long(found: set[str]) -> set[str]:
        return {word for word in found if len(word) > 1}

    def bare(text: str) -> str:
        return "".join(filter(str.isalnum, text))

    lines = (runtime.samples_dir() / "instructions.jsonl").read_text("utf-8").splitlines()
    talks = [" ".join(m["content"] for m in json.loads(line)["messages"]) for line in lines]
    talks = [(talk, bare(talk), words(talk)) for talk in talks]
    quiz = [item for name in ("culture", "knowledge") for item in evaluation.load_suites(name)]
    leaks = []
    for item in (item for suite in quiz for item in suite.items):
        asked, answer = words(item.prompt), item.choices[item.answer]
        answered, answer = long(words(answer)), bare(answer)
        for talk, letters, said in talks:
            common = asked & said
            leaked = len(answer) > 6 and answer in letters  # a fact by itself
            if len(answer) > 2 and answer in letters:
                leaked |= len(common) >= 0.4 * len(asked)
            elif answer in letters or (answered and answered <= said):
                leaked |= len(long(common)) >= max(2, 0.4 * len(long(asked)))
            if leaked:
                leaks.append((item.id, talk))
    assert not leaks


@pytest.mark.parametrize("name", ["native", "culture", "knowledge", "grammar", "grammar_en"])
def test_the_facets_are_whole_and_cannot_be_won_without_reading(name):
    (suite,) = evaluation.load_suites(name)
    assert not suite.rejects
    count = len(suite.items[0].choices)
    scores = [[Score(0.0, 1, False)] * count for _ in suite.items]
    blind = evaluation.judge(suite, scores)
    assert blind.micro == pytest.approx(1 / count)
    low, high = 1 / count - 0.06, 1 / count + 0.06
    assert low < blind.majority < high
    assert blind.length_only < high
