"""Decontamination: what holds a piece of an evaluation set goes, and nothing else does."""

import json
import os
import unicodedata

import pytest
from datatrove.data import Document

from gemma_ko_lib import cli, runtime
from gemma_ko_lib.corpus import clean_text
from gemma_ko_lib.corpus.clean_settings import CleanSettings, evaluation_files
from gemma_ko_lib.corpus.decontamination import Decontaminator, build_index, find_leaks
from gemma_ko_lib.corpus.result_folder import read_lines, task_lines
from gemma_ko_lib.corpus.samples import read_samples
from gemma_ko_lib.evaluation import load_suites
from gemma_ko_lib.runtime import UserError

LONG = "광화문 앞 넓은 길에 아침부터 사람들이 모여 새로 심은 은행나무를 구경하며 사진을 찍고 있었다"
SHORT = "고양이가 창가에서 하루 종일 낮잠을 잤다"


def index(tmp_path, *items, name="set.jsonl"):
    file = tmp_path / name
    file.write_text("\n".join(json.dumps(i, ensure_ascii=False) for i in items), "utf-8")
    return file


def left(tmp_path, texts, *files):
    """Ids that stay, and the lines about the others."""
    build_index(files, tmp_path / "index")
    block = Decontaminator(tmp_path / "index", tmp_path)
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    kept = [document.id for document in block.run(documents)]
    return kept, list(read_lines(task_lines(tmp_path, "contaminated", 0)))


def test_a_document_with_thirteen_words_of_an_item_goes_and_says_which(tmp_path):
    file = index(tmp_path, {"q": "다른 문항"}, {"paragraph": LONG, "label": 1})
    words = LONG.split()
    quoted = "어제 읽은 글이다. " + " ".join(words[:13]) + "! 그다음은 잊었다."
    twelve = " ".join(words[:12]) + " 그다음은 잊었다"
    kept, lines = left(tmp_path, [quoted, twelve, "아무 관계 없는 글이다"], file)
    assert kept == ["1", "2"]
    assert lines == [{"id": "0", "item": "set.jsonl:2", "words": " ".join(words[:13])}]


def test_case_and_punctuation_do_not_hide_a_leak(tmp_path):
    file = index(tmp_path, {"text": LONG})
    kept, _ = left(tmp_path, [LONG.replace(" ", ", ").upper()], file)
    assert kept == []


@pytest.mark.parametrize(
    "text",
    [
        "배우들 연기가 너무 좋아서ㅠㅠㅠㅠ 한참을 울고 나왔네요",
        "맛있는 <b>집</b>을 찾아 골목을 한참 헤매다 돌아왔다",
        unicodedata.normalize("NFD", SHORT),
    ],
    ids=["a run", "tags", "decomposed"],
)
def test_an_item_is_found_as_it_is_and_as_cleaning_leaves_it(text, tmp_path):
    file = index(tmp_path, {"document": text})
    assert left(tmp_path, [text, clean_text(text).text, LONG], file)[0] == ["2"]


def test_a_line_separator_inside_an_item_ends_no_record(tmp_path):
    assert left(tmp_path, [LONG], index(tmp_path, {"text": f"\u2028{LONG}\u0085"}))[0] == []


def test_a_short_item_counts_as_a_whole(tmp_path):
    file = index(tmp_path, {"premise": SHORT, "choices": ["비가 왔다", "눈이 왔다"]})
    texts = [f"그날 {SHORT}. 비가 왔다.", "고양이가 창가에서 하루 종일 울었다", "비가 왔다"]
    assert left(tmp_path, texts, file)[0] == ["1", "2"]


def test_a_text_of_few_words_counts_beside_another_of_its_item(tmp_path):
    """A question of three words with its answers, or both sentences of a pair."""
    quiz = {"question": "소금은 어떤 맛인가", "choices": ["달다", "짜다", "시다", "쓰다"]}
    pair = {"good": "한별은 울산에 갔다.", "bad": "한별는 울산에 갔다."}
    file = index(tmp_path, quiz, pair)
    texts = [
        "소금은 어떤 맛인가? 달다, 짜다, 시다, 쓰다 가운데 고르시오.",
        "O 한별은 울산에 갔다 / X 한별는 울산에 갔다",
        "소금은 어떤 맛인가? 아이가 물었다. 아무도 답하지 못했다.",
        "어제 한별은 울산에 갔다. 비가 왔다.",
    ]
    kept, lines = left(tmp_path, texts, file)
    assert kept == ["2", "3"]
    assert [line["item"] for line in lines] == ["set.jsonl:1", "set.jsonl:2"]


def test_a_sentence_of_four_words_counts_by_itself_only(tmp_path):
    file = index(tmp_path, {"good": "동생은 오늘 책을 읽었다."})
    texts = ["비가 왔다. 동생은 오늘 책을 읽었다. 잘 잤다.", "내 동생은 오늘 책을 읽었다."]
    assert left(tmp_path, texts, file)[0] == ["1"]


def test_what_is_said_about_an_item_is_no_text_of_it(tmp_path):
    note = "자음 뒤에는 은 모음 뒤에는 는 을 쓴다"
    file = index(tmp_path, {"good": "한별은 갔다", "note": note, "category": SHORT})
    assert left(tmp_path, [note, SHORT], file)[0] == ["0", "1"]


def test_a_name_in_chinese_characters_is_no_evidence_and_a_question_is(tmp_path):
    question = "首都是北京的国家是哪一个？"
    file = index(tmp_path, {"q": question, "choices": ["中华人民共和国", "大韓民國臨時政府"]})
    texts = [
        "1949年中华人民共和国成立。",
        "상하이의 大韓民國臨時政府 청사를 찾았다.",
        f"问：{question}",
    ]
    assert left(tmp_path, texts, file)[0] == ["0", "1"]


@pytest.mark.parametrize("trivial", ["ㅋㅋ " * 15, "1 2 3 4 5 6 7 8 9 10 11 12 13 14"])
def test_trivial_runs_are_no_evidence(tmp_path, trivial):
    file = index(tmp_path, {"text": trivial})
    assert left(tmp_path, [f"정말 웃기다 {trivial} 최고"], file)[0] == ["0"]


def test_what_many_items_share_is_how_the_set_asks(tmp_path):
    frame = "다음 글을 읽고 물음에 알맞은 답을 보기에서 하나만 골라 번호로 쓰시오 그리고 설명하시오"
    file = index(tmp_path, *({"q": f"{frame} 문항{i}"} for i in range(30)))
    others = ({"q": f"{i}번째 손님이 {i * 3}호에서 {i * 7} 번 창문을 열었다"} for i in range(400))
    larger = index(tmp_path, *others, name="larger.jsonl")
    for files in ([file], [file, larger]):
        assert left(tmp_path, [f"시험지에 {frame} 라고 써 있었다"], *files)[0] == ["0"]


def test_a_document_that_says_what_many_items_do_takes_time_in_proportion(tmp_path):
    # Looked up at each place, it would not end.
    quiz = (
        {"q": f"{i}번 물음", "choices": ["위의 셋 모두" if i % 11 == 0 else f"답 {i}"]}
        for i in range(1000)
    )
    document = "그는 위의 셋 모두 라고 썼다 " * 20_000
    assert left(tmp_path, [document], index(tmp_path, *quiz))[0] == ["0"]


def test_the_index_says_what_it_holds(tmp_path):
    first = index(tmp_path, {"text": LONG}, {"text": "짧은 글"}, name="a.jsonl")
    second = index(tmp_path, {"deep": {"texts": [SHORT]}}, name="b.jsonl")
    found = build_index([first, second], tmp_path / "index")
    assert found == {
        "files": 2,
        "items": 3,
        "ngrams": len(LONG.split()) - 13 + 1 + 1,
        "too_short": 1,
        "trivial": 0,
        "planted": [
            {"file": "a.jsonl", "items": 2, "found": 1},
            {"file": "b.jsonl", "items": 1, "found": 1},
        ],
    }


@pytest.mark.parametrize("name", ["grammar", "native", "culture", "knowledge", "grammar_en"])
def test_items_of_the_course_would_be_found_and_its_texts_hold_none(name, tmp_path):
    counts = build_index([runtime.samples_dir() / f"{name}.jsonl"], tmp_path / "index")
    (planted,) = counts["planted"]
    assert planted["found"] >= 0.95 * planted["items"]
    texts = [record["text"] for record in read_samples("ko")]
    block = Decontaminator(tmp_path / "index", tmp_path)
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    assert len(list(block.run(documents))) == len(texts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'{"text": "a"}\n{broken\n', "bad.jsonl:2 is not readable"),
        ("시험".encode("cp949"), "not UTF-8"),
        (b'{"text": "a"}\n{"text": "\\ud800"}', r"bad.jsonl:2 is not readable \(half a surrogate"),
        (b'[{"text": "a"}, {"text": "\\ud800"}]', r"bad.jsonl:2 is not readable \(half a surrog"),
        (b"[" * 100_000, "bad.jsonl: record 1 is nested too deep"),
        (b'{"text": ' + b"[" * 100_000, r"bad.jsonl:1 is not readable \(nested too deep"),
    ],
)
def test_a_damaged_evaluation_set_is_an_error_since_it_is_needed_whole(tmp_path, content, message):
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=message):
        build_index([tmp_path / "bad.jsonl"], tmp_path / "index")
    with pytest.raises(UserError, match=r"Cannot read the evaluation set .*none\.jsonl"):
        build_index([tmp_path / "none.jsonl"], tmp_path / "index")


def test_a_pipe_as_evaluation_set_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UserError, match="pipe.jsonl: it is not a file"):
        build_index([tmp_path / "pipe.jsonl"], tmp_path / "index")


def test_items_are_found_however_deep_they_stand(tmp_path):
    """As deep as json reads, which is deeper than Python functions call themselves."""
    deep = LONG
    for _ in range(350):
        deep = {"part": [deep]}
    assert left(tmp_path, [LONG], index(tmp_path, deep))[0] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KoBEST.tsv", "ID\tText\tAnswer\n1\t{}\tTrue"),
        ("ratings_test.txt", "id\tdocument\tlabel\n7\t{}\t1"),
        ("KMMLU.csv", 'question,A,answer,Category\n"{}",물,1,Biology'),
        ("CLIcK.json", '[\n{{"id": "1", "question": "{}", "choices": ["물"]}}\n]'),
        ("KoBALT.jsonl", '[\n{{"ID": "1", "Question": "{}",\n "Answer": "B"}}\n]'),
    ],
)
def test_an_evaluation_set_is_read_as_it_is_published(name, text, tmp_path):
    (tmp_path / name).write_text(text.format(SHORT), "utf-8")
    counts = build_index([tmp_path / name], tmp_path / "index")
    assert (counts["items"], counts["ngrams"]) == (1, 1)
    (planted,) = counts["planted"]
    assert planted == {"file": name, "items": 1, "found": 1}


# --- Folders ------------------------------------------------------------------------------


def kobest(folder):
    """KoBEST as it is published, and as `gemma-ko evaluate --suite kobest --data` takes it."""
    texts = {
        "BoolQ": f"ID\tText\tQuestion\tAnswer\n1\t{LONG}\t정말 그런가?\tTrue",
        "SentiNeg": f"ID\tText\tLabel\n1\t{SHORT}\t1",
    }
    for task, content in texts.items():
        (folder / task).mkdir(parents=True)
        for split in ("train", "test"):
            (folder / task / f"{split}.tsv").write_text(content, "utf-8")
        (folder / task / "README.md").write_text("# How to read it", "utf-8")
    return folder


def test_a_folder_stands_for_the_sets_in_it(tmp_path):
    folder = kobest(tmp_path / "kobest")
    suffixes = ("jsonl", "json", "tsv", "csv", "parquet", "txt", "md")
    other = tmp_path / "other"
    other.mkdir()
    for suffix in suffixes:
        (other / f"a.{suffix}").touch()
    for name in ("train/part-0.jsonl", "Training_1.json", "KoTrain.csv", "z_constraints.json"):
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).touch()
    files = evaluation_files((str(folder), other, other / "a.json"))
    found = [str(path.relative_to(tmp_path)) for path in files]
    sets = [f"other/a.{suffix}" for suffix in sorted(suffixes[:5])]
    assert found == [
        "kobest/BoolQ/test.tsv",
        "kobest/SentiNeg/test.tsv",
        *sets,
        "other/z_constraints.json",
    ]


def test_the_command_takes_a_folder_and_names_its_files_apart(tmp_path, capsys):
    folder = kobest(tmp_path / "kobest")
    assert [suite.name for suite in load_suites("kobest", folder)] == [
        "kobest_boolq",
        "kobest_sentineg",
    ]
    raw = tmp_path / "raw.jsonl"
    with raw.open("w", encoding="utf-8") as file:
        for text in (
            f"어제 읽은 글이다. {LONG}",
            "강가에 핀 갈대가 바람에 흔들리는 소리를 들었다.",
        ):
            file.write(json.dumps({"text": text}) + "\n")
    out = tmp_path / "out"
    assert cli.main(["clean", str(raw), "-o", str(out), "--decontaminate", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "held a piece of an evaluation set: 1" in said
    assert "of BoolQ/test.tsv, 1 of 1 items" in said and "of SentiNeg/test.tsv, 1 of 1" in said
    (line,) = read_lines(out / "contaminated.jsonl")
    assert line["item"] == "BoolQ/test.tsv:2"


def test_a_folder_without_sets_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "train.jsonl").touch()
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path, tmp_path / "pipe.jsonl"):
        with pytest.raises(UserError, match=r"no evaluation set in .*\.jsonl \.json"):
            CleanSettings(decontaminate=(str(path),))


def test_a_conversation_is_looked_through_turn_by_turn(tmp_path):
    file = index(tmp_path, {"good": "동생은 오늘 책을 읽었다."}, {"text": LONG})
    texts = ["무엇을 했니?\n동생은 오늘 책을 읽었다.", f"이어 써 줘.\n{LONG}", "안녕?\n네."]
    found = find_leaks(texts, [file])
    assert {place: leak["item"] for place, leak in found.items()} == {
        0: "set.jsonl:1",
        1: "set.jsonl:2",
    }
    assert found[0]["words"] == "동생은 오늘 책을 읽었다"


# --- Coverage of the sets of reviews, by items planted word for word -----------------------

SENTINEG = """택배가 하루 만에 와서 정말 좋았어요
택배가 하루 만에 안 와서 정말 별로였어요
색이 사진과 똑같아서 마음에 들어요
색이 사진과 똑같지 않아서 마음에 안 들어요
국물이 진하고 고기도 부드럽네요
국물이 진하지도 않고 고기도 질기네요
세탁을 여러 번 해도 줄지 않아요
세탁을 한 번 했는데 바로 줄었어요
아이가 맵지 않다고 잘 먹어요
아이가 맵다고 한 입도 안 먹어요
포장이 꼼꼼해서 깨진 것이 없어요
포장이 허술해서 깨진 것이 많아요
바닥이 미끄럽지 않아 안심이 됩니다
바닥이 미끄러워 안심이 되지 않습니다
소리가 작아서 밤에 쓰기 좋아요
소리가 커서 밤에 쓰기 나빠요
향이 은은하게 오래 가네요
향이 은은하지 않고 금방 사라지네요
설명대로 조립하니 금방 끝났어요
설명대로 조립해도 끝나지 않았어요
가격에 비해 양이 넉넉합니다
가격에 비해 양이 모자랍니다
다음에도 꼭 주문할게요
다음에는 절대 주문 안 할게요
손잡이가 튼튼해서 오래 쓰겠어요
손잡이가 헐거워서 오래 못 쓰겠어요
너무 맛있어요
전혀 맛있지 않아요
배송 빠르고 좋아요
배송 느리고 나빠요""".split("\n")

# As long as film reviews are: a quarter has fewer than four words.
NSMC = """주인공의 눈빛 하나로 두 시간이 모자랄 만큼 빠져들었다
초반은 지루했지만 마지막 삼십 분이 모든 것을 살린다
원작을 읽은 사람이라면 실망할 수밖에 없는 각색이다
음악이 장면마다 어긋나서 끝까지 몰입하기 어려웠다
어릴 때 비디오로 보고 다시 봤는데 여전히 눈물이 난다
배우들 연기는 훌륭한데 대본이 그것을 따라가지 못한다
극장에서 볼 때는 몰랐던 복선이 이제야 보인다
웃기려고 애쓰는데 한 번도 웃지 못했다
아버지와 함께 봐서 더 오래 기억에 남을 듯하다
촬영은 아름답지만 이야기는 텅 비어 있다
감독의 전작을 좋아했기에 아쉬움이 더 크다
반전을 미리 알고 봐도 숨을 죽이게 된다
자막이 엉망이라 무슨 말인지 알 수가 없었음
시간이 아깝다는 말은 이럴 때 쓰는 말이구나
비 오는 날 혼자 보기 딱 좋은 영화
제목만 보고 골랐다가 뜻밖의 보물을 찾았다
악역이 이렇게 불쌍해 보이기는 처음이다
결말을 그렇게 끝낼 거면 왜 시작했나
전쟁 장면이 끔찍할 만큼 사실 같았다
친구가 추천해서 봤는데 친구를 잃을 뻔했다
속편은 제발 만들지 말아 주세요
다섯 번째 보는데 또 울었다
돈 주고 볼 영화는 아님
감동도 재미도 둘 다 없다
진짜 최고다
졸려서 죽는 줄
볼만함
별점이 아깝다
강추합니다
그저 그렇다""".split("\n")


@pytest.mark.parametrize(
    ("name", "head", "texts", "row", "share"),
    [
        ("SentiNeg.tsv", "ID\tLabel\tText", SENTINEG, "{n}\t{label}\t{text}", 0.8),
        ("ratings_test.txt", "id\tdocument\tlabel", NSMC, "{n}\t{text}\t{label}", 0.8),
    ],
)
def test_a_planted_review_of_four_words_is_found_and_a_shorter_one_cannot_be(
    name, head, texts, row, share, tmp_path
):
    lines = [row.format(n=n, label=n % 2, text=text) for n, text in enumerate(texts, 1)]
    (tmp_path / name).write_text("\n".join([head, *lines]), "utf-8")
    (planted,) = build_index([tmp_path / name], tmp_path / "index")["planted"]
    enough = [text for text in texts if len(text.split()) >= 4]
    assert planted == {"file": name, "items": 30, "found": len(enough)}
    assert planted["found"] >= share * planted["items"]
    # In a conversation it is found as well, and inside a longer sentence where it is long.
    talks = [f"이 평을 읽어 봐.\n{text}" for text in enough]
    assert len(find_leaks(talks, [tmp_path / name])) == len(enough)
    others = NSMC if texts is SENTINEG else SENTINEG
    assert not find_leaks(others, [tmp_path / name])
