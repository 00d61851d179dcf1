"""Each format's sample gives the texts and the metadata that its layout holds."""

import csv
import json

import pytest

from gemma_ko_lib.corpus.documents import Note, find_files, read_file
from gemma_ko_lib.corpus.sources import formats
from gemma_ko_lib.corpus.sources.reading import Reading
from gemma_ko_lib.corpus.sources.records import TEXT_FIELDS, Fields

NIKL = {"licence": "NIKL: no redistribution"}
AIHUB = {"licence": "AI-Hub: no redistribution"}


def texts(documents) -> list[str]:
    return [document.text for document in documents]


def about(document) -> dict:
    return {key: value for key, value in document.metadata.items() if key != "source_file"}


# --- 모두의 말뭉치 ------------------------------------------------------------------------


def test_newspaper_has_its_headline_above_the_paragraphs(read, formats_dir):
    (first, second), rejects = read(formats_dir / "nikl/NIKL_NEWSPAPER_2031_v1.0")
    assert rejects == []
    assert second.id == "NWRW3100000001.2"
    assert second.text == (
        "주말 내내 비… 월요일부터 기온 뚝\n\n"
        "토요일 오후 서쪽부터 내리기 시작한 비는 일요일 밤까지 이어지겠다. "
        "예상 강수량은 20~60밀리미터다.\n"
        "비가 그친 뒤에는 찬 공기가 내려와 월요일 아침 기온이 4도까지 떨어질 전망이다."
    )
    assert "<p>" not in first.text
    assert about(second) == NIKL | {
        "corpus": "모두의 말뭉치 신문 v1.0",
        "register": "news",
        "date": "2031-04-13",
        "title": "가람일보 2031년 기사",
        "topic": "생활",
        "original_topic": "생활 > 날씨",
        "publisher": "가람일보",
        "category": "신문 > 지역지",
    }


def test_an_empty_list_of_utterances_hides_no_paragraphs(tmp_path, read):
    record = {
        "id": "WARW1.1",
        "metadata": {},
        "utterance": [],
        "paragraph": [{"form": "문단이다."}],
    }
    (tmp_path / "a.json").write_text(json.dumps({"document": [record]}))
    found, rejects = read(tmp_path)
    assert (texts(found), rejects) == (["문단이다."], [])


def test_written_text_is_its_paragraphs(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_WRITTEN_v1.2")
    assert len(document.text.split("\n")) == 3
    assert document.text.startswith("메주를 띄우는 방은")
    assert about(document) == NIKL | {
        "corpus": "모두의 말뭉치 문어 v1.2",
        "register": "book",
        "date": "2031",
        "title": "느리게 담그는 장",
        "topic": "생활",
        "publisher": "너른마루",
        "category": "문어 > 책 > 생활",
    }


def test_speech_keeps_what_was_said_and_takes_the_note_where_nothing_was(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_SPOKEN_v1.2")
    assert document.text == (
        "A: 여러분 오늘은 매듭을 하나 배워 볼 거예요.\n"
        "A: 자 이렇게 끈을 한 번 돌 돌리면 고리가 생기죠?\n"
        "B: 박수\n"
        "B: 선생님 저는 자꾸 풀려요."
    )
    assert about(document) == NIKL | {
        "corpus": "모두의 말뭉치 구어 v1.2",
        "register": "spoken",
        "category": "구어 > 공적 > 강연",
        "relation": "강연자-청중",
    }


def test_daily_conversation_maps_what_was_de_identified(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_DIALOGUE_2031_v1.0")
    assert document.text == (
        "A: 요즘 점심 뭐 드세요?\n"
        "B: 저는 [회사명] 앞에 있는 김밥집이요. 아 거기 [이름] 씨가 알려 줬어요.\n"
        "A: 거기 줄 길지 않아요?"
    )
    assert document.metadata["corpus"] == "모두의 말뭉치 일상 대화 v1.0"


MESSAGES = (
    "A: 주말에 시간 돼?\n"
    "B: 토요일은 되는데 왜ㅋㅋ\n"
    "A: 여기 가자 [주소] 쪽에 새로 생겼대\n"
    "B: 오 좋다~ [이름]이도 부를까\n"
    "A: ㅇㅇ 전화해 봐 [전화번호]"
)


def test_messages_keep_what_was_typed_and_lose_system_marks(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_MESSENGER_v2.0_JSON")
    assert (document.id, document.text) == ("MDRW3100000001.1", MESSAGES)
    assert about(document) == NIKL | {
        "corpus": "모두의 말뭉치 메신저 v2.0",
        "register": "chat",
        "date": "2031-04-12",
        "title": "2인 메신저 대화",
        "topic": "주말 약속",
        "publisher": "개인 발화자",
        "category": "메신저 > 2인 대화",
        "relation": "친구",
    }


def test_the_csv_edition_gives_the_same_text(read, formats_dir):
    (document,), rejects = read(formats_dir / "nikl/NIKL_MESSENGER_v2.0_CSV")
    assert (document.id, document.text, rejects) == ("MDRW3100000001.1", MESSAGES, [])
    assert document.metadata["register"] == "chat"


def test_blogs_of_the_web_corpus_are_blogs(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_WEB_v1.0")
    assert "이웃 [이름]님 말씀대로" in document.text
    assert document.metadata["register"] == "blog"
    assert document.metadata["url"] == "https://blog.example.kr/lettuce/12"


def test_minutes_may_hold_one_document_that_is_no_list(read, formats_dir):
    (document,), rejects = read(formats_dir / "nikl/NIKL_KParlty_2031_v1.0")
    assert rejects == []
    assert document.text.split("\n")[1] == "B: 위원장님, 의사일정 제2항을 먼저 다루면 어떻겠습니까?"
    assert document.metadata["corpus"] == "모두의 말뭉치 국회 회의록 v1.0"
    assert document.metadata["date"] == "2031-03-18"


def test_unpublished_texts_are_joined_by_their_file(read, formats_dir):
    found, rejects = read(formats_dir / "nikl/NIKL_UNPUBLISHED_v1.0")
    assert rejects == []
    assert [(document.id, document.text) for document in found] == [
        (
            "WZRW3100000001",
            "오늘은 비가 와서 체육을 교실에서 했다.\n"
            '선생님이 "줄넘기는 다음에 하자"고 하셨다.\n'
            "집에 와서 [이름]랑 전을 부쳐 먹었다.",
        ),
        ("WZRW3100000002", "할머니께. 잘 지내시지요? 보내 주신 감 잘 먹었습니다."),
    ]


def test_a_parallel_corpus_gives_both_sides_and_the_last_revision(read, formats_dir):
    found, _ = read(formats_dir / "nikl/NIKL_PA_2031_KOVI")
    assert [document.id[-5:] for document in found] == [
        "01.1.ko"[-5:],
        ".1.vi",
        "01.2.ko"[-5:],
        ".2.vi",
    ]
    assert found[3].text == "Tôi để quên mất cái ô rồi."
    assert found[3].metadata["language"] == "vi"
    assert found[2].metadata["pair"] == found[3].metadata["pair"] == "NIORPAKO3100000001.2"


def test_nested_documents_are_read(read, formats_dir):
    (document,), _ = read(formats_dir / "nikl/NIKL_CI_2031_v1.0")
    assert document.text == "A: 상자는 다 쌌어?\nB: 책만 남았어. 끈이 모자라서."
    assert document.id == "NIKLCI3100000001.1"


# --- AI-Hub ---------------------------------------------------------------------------

EXPECTED = {
    "web_text.json": (
        "웹데이터 기반 한국어 말뭉치",
        "blog",
        [
            "가을 산행, 이것만은 챙기세요\n\n"
            "가을 산은 해가 일찍 진다. 손전등 하나는 꼭 챙기자.\n"
            "땀이 식으면 금세 추워지므로 얇은 겉옷도 필요하다.",
            "회원 후기\n억새가 어깨까지 올라와 있었습니다.",
        ],
    ),
    "online_colloquial.json": (
        "온라인 구어체 말뭉치",
        "community",
        [
            "이번 업데이트 이후로 튕기는 사람 나만 있냐\n아니 나도 그럼 ㅋㅋ 껐다 켜니까 되더라",
            "길드 인원 구합니다 접속 자주 하시는 분만요",
        ],
    ),
    "books.json": (
        "대규모 구매도서 기반 한국어 말뭉치",
        "book",
        ["역에는 아무도 없었다. 시계만 제때를 가리키고 있었다.", "반죽은 손의 온도를 기억한다."],
    ),
    "sns.json": (
        "한국어 SNS",
        "chat",
        [
            "A: 이번 연휴에 [주소]로 갈까 하는데\nB: 오 좋다 나도 갈래\n"
            "A: 그럼 [이름]한테도 물어봐ㅋㅋ",
            "A: 택배 왔어?\nB: 아직 내일 온대",
        ],
    ),
    "sns_single.json": ("한국어 SNS", "chat", ["A: 요새 잠이 안 와\nB: 커피를 좀 줄여 봐"]),
    "sns_turns.json": (
        "SNS 멀티턴 대화",
        "chat",
        ["A: 낚시는 언제 처음 하셨어요?\nB: 아버지 따라서 열 살 때요. 그땐 지렁이가 무서웠죠."],
    ),
    "dialogue_summary.json": (
        "한국어 대화 요약",
        "chat",
        ["A: 내일 모임 몇 시야\nB: 일곱 시. 근데 나 조금 늦을 듯\nA: ㅇㅋ 먼저 들어가 있을게"],
    ),
    "expert.json": (
        "전문분야 말뭉치",
        "expert",
        [
            "물이 새지 않는 화분 받침\n\n본 발명은 화분 받침에 관한 것이다.\n"
            "받침의 둘레에는 물을 모으는 홈이 있다.",
            "보증금 반환\n\n피고는 원고에게 보증금을 돌려줄 의무가 있다.",
        ],
    ),
    "expert_rows.json": (
        "전문분야 말뭉치",
        "expert",
        [
            "가상 소하천 관리 조례\n\n"
            "제1조(목적) 이 조례는 소하천의 관리에 필요한 사항을 정한다.\n"
            '제2조(정의) "소하천"이란 너비 2미터 미만의 물길을 말한다.'
        ],
    ),
    "expert_flat.json": (
        "전문분야 말뭉치",
        "expert",
        ["논 토양의 물 빠짐\n\n이 연구는 논 토양의 물 빠짐을 세 해 동안 재었다."],
    ),
    "expert_ko_en.json": (
        "번역 말뭉치",
        "sentence",
        ["이자는 매달 말일에 지급됩니다.", "Interest is paid on the last day of each month."],
    ),
    "expert_ko_ja.json": (
        "번역 말뭉치",
        "sentence",
        ["탑은 고려 때 세워졌다.", "塔は高麗の時代に建てられた。"],
    ),
    "translation.json": (
        "번역 말뭉치",
        "sentence",
        ["강좌는 한 달에 두 번 열립니다.", "The course is held twice a month."],
    ),
    "utterance_type.json": (
        "번역 말뭉치",
        "sentence",
        ["문 좀 닫아 줄래?", "Could you close the door?"],
    ),
    "shopping_reviews.json": (
        "속성기반 감정분석",
        "review",
        [
            "생각보다 가볍고 손잡이가 튼튼해요. 색은 사진보다 조금 어두워요.",
            "한 달 썼는데 바퀴가 빠졌습니다.",
        ],
    ),
    "national_records.json": (
        "국가기록물 대상 초거대AI 학습을 위한 말뭉치",
        "expert",
        ["가람 나루터 정비 계획\n\n나루터의 석축을 고치고 배를 대는 자리를 넓힌다."],
    ),
    "document_summary.json": (
        "문서요약 텍스트",
        "news",
        [
            "새벽 시장, 다시 불 켜다\n\n물빛동 새벽 시장이 석 달 만에 다시 열렸다.\n"
            "상인 마흔 명이 자리를 잡았다. 두부와 나물이 가장 먼저 동났다."
        ],
    ),
    "article_summary.jsonl": (
        "문서요약 텍스트",
        "news",
        ["둑길에 벚나무 백 그루가 섰다.\n물을 주는 당번은 주민들이 돌아가며 맡는다."],
    ),
    "paper_summary.json": (
        "논문자료 요약",
        "expert",
        [
            "논둑 허물기와 물의 양\n\n"
            "이 글은 논둑을 허문 논에서 물이 줄어드는 빠르기를 재었다.\n재는 자는 나무로 만들었다."
        ],
    ),
    "book_summary.json": (
        "도서자료 요약",
        "book",
        ["배는 물살보다 느렸다. 사공은 노를 내려놓고 하늘만 보았다."],
    ),
    "reading.json": (
        "기계독해",
        None,
        ["방앗간은 여섯 시에 막내가 문을 연다.", "점심에는 기계를 세우고 체를 씻는다."],
    ),
    "dialect.json": (
        "한국어 방언 발화",
        "spoken",
        ["A: 그 정지 문 좀 닫아라\nB: [이름]이가 벌써로 닫았다"],
    ),
    "dialect_sentences.json": (
        "한국어 방언 발화",
        "spoken",
        ["A: 어디 가노?\nB: 장에 간다 아이가."],
    ),
    "emotion.json": (
        "감성대화",
        "chat",
        [
            "A: 내일 발표라 잠이 안 와.\nB: 많이 떨리겠어요.\n"
            "A: 한 번 더 읽어 볼까 봐.\nB: 소리 내어 읽으면 나아질 거예요."
        ],
    ),
    "complaint.json": (
        "민원 콜센터 질의-응답",
        "spoken",
        [
            "A: 카드를 잃어버렸어요.\nB: 바로 정지해 드리겠습니다.",
            "이체 한도를 올리고 싶어요.",
        ],
    ),
    "dialogs.json": (
        "대화",
        "chat",
        ["A: 우산 챙겼어?\nB: 응, 두 개.", "버스 왔다."],
    ),
    "expert_plain.json": (
        "전문분야 말뭉치",
        "expert",
        ["샘터 관리 지침\n\n샘터의 둘레는 한 달에 한 번 쓴다.\n겨울에는 덮개를 씌운다."],
    ),
    "TS_01.구어체_SL/large.json": (
        "한국어 말뭉치 (초거대)",
        "spoken",
        ["안녕하세요, 오늘은 동네 빵집 이야기를 해 볼게요.", "다음 주에 또 만나요."],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_corpus_of_ai_hub(name, read, formats_dir):
    corpus, register, expected = EXPECTED[name]
    found, rejects = read((formats_dir / "aihub" / name).parent)
    found = [d for d in found if d.metadata["source_file"].endswith(name.rpartition("/")[2])]
    rejects = [reject for reject in rejects if reject.file.endswith(name)]
    assert (texts(found), rejects) == (expected, [])
    for document in found:
        assert document.metadata["corpus"] == f"AI-Hub {corpus}"
        assert document.metadata.get("register") == register
        assert document.metadata["licence"] == AIHUB["licence"]
    assert len({document.id for document in found}) == len(found)


def test_what_else_the_ai_hub_corpora_know(read, formats_dir):
    found, _ = read(formats_dir / "aihub")
    by_id = {document.id: about(document) for document in found}
    assert by_id["s-0001"]["summary"] == "내일 일곱 시 모임에 한 사람이 늦는다."
    assert by_id["d-0001"]["date"] == "2031-02-11"
    assert by_id["10-9999999"]["domain"] == "patent"
    assert by_id["SOC-000001.en"]["pair"] == by_id["SOC-000001.ko"]["pair"] == "SOC-000001"
    assert by_id["J-0001.ja"]["language"] == "ja"
    assert by_id["aihub/shopping_reviews.json:1"]["polarity"] == "1"
    # Who spoke is not taken over.
    values = {str(value) for metadata in by_id.values() for value in metadata.values()}
    assert not values & {"20대", "여성", "가람도", "speaker1"}


def test_a_transcript_of_speech_loses_its_marks(read, formats_dir):
    (document,), _ = read(formats_dir / "aihub/lecture_speech.txt")
    assert document.text == (
        "자 오늘은 3장을 보겠습니다.\n음 여기 그래프가 있죠?\n왼쪽이 왼쪽이 작년이고요."
    )
    assert document.metadata["register"] == "spoken"


def test_a_table_of_dialogues_is_cut_where_numbers_start_again(read, formats_dir):
    found, _ = read(formats_dir / "aihub/dialogue_table.csv")
    assert texts(found) == [
        "A: 두 사람 자리 있나요?\nB: 창가 쪽이 비어 있습니다.\nA: 그럼 거기로 할게요.",
        "A: 이 운동화 다른 색도 있어요?\nB: 회색이 하나 남았습니다.",
    ]
    assert found[1].metadata["category"] == "상품 문의"


def test_sentences_of_a_table_may_be_numbered_by_numbers(read, tmp_path):
    said = [(1, "자리 있나요?"), (2, "네, 있습니다."), (1, "얼마예요?"), (2, "천 원입니다.")]
    rows = [
        {"SPEAKER": "고객", "SENTENCE": text, "DOMAIN": "상점", "SENTENCEID": number}
        for number, text in said
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found, _ = read(tmp_path)
    assert texts(found) == ["자리 있나요?\n네, 있습니다.", "얼마예요?\n천 원입니다."]


def test_rows_are_joined_by_the_document_that_their_id_names(read, tmp_path):
    ids = ["MDRW1.1.1", "MDRW1.1.2", None, "MDRW1.2.1", 7, 8]
    rows = [{"id": name, "form": f"글 {place}"} for place, name in enumerate(ids)]
    del rows[2]["id"]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found, rejects = read(tmp_path)
    assert texts(found) == ["글 0\n글 1", "글 2", "글 3", "글 4", "글 5"]
    assert [document.id for document in found[-2:]] == ["7", "8"]
    assert rejects == []


def test_a_translation_without_its_other_side_is_one_text(read, tmp_path):
    rows = [("SID", "원문", "번역문"), ("1", "한쪽뿐이다.", ""), ("2", "둘 다 있다.", "Both.")]
    with open(tmp_path / "t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    found, rejects = read(tmp_path / "t.csv")
    assert texts(found) == ["한쪽뿐이다.", "둘 다 있다.", "Both."]
    assert rejects == []


@pytest.mark.parametrize(
    ("version", "corpus", "licence"),
    [
        ("KorQuAD_v1.0_train", "KorQuAD", "CC BY-ND 2.0 KR"),
        ("klue-mrc-v1.1", "KLUE-MRC", "CC BY-SA 4.0"),
        ("x", "AI-Hub 기계독해", AIHUB["licence"]),
    ],
)
def test_a_reading_corpus_that_says_who_it_is_keeps_its_licence(
    read, tmp_path, version, corpus, licence
):
    qas = [{"id": str(n), "question": "무엇?", "answers": []} for n in range(3)]
    article = {"title": "체", "paragraphs": [{"context": "체는 가루를 거른다.", "qas": qas}]}
    (tmp_path / "a.json").write_text(json.dumps({"version": version, "data": [article]}))
    (document,), _ = read(tmp_path / "a.json")
    assert document.text == "체는 가루를 거른다."
    assert (document.metadata["corpus"], document.metadata["licence"]) == (corpus, licence)


def test_several_texts_of_one_record_have_ids_of_their_own(read, formats_dir):
    found, _ = read(formats_dir / "aihub/reading.json")
    assert [document.id for document in found] == ["reading.json:1", "reading.json:1.2"]


@pytest.mark.parametrize("body", ["utterance", "paragraph", "sentence"])
def test_a_file_of_somebody_else_is_not_called_nikls(read, tmp_path, body):
    about = {"title": "대화 자료", "distributor": "가람연구소", "category": "구어"}
    record = {"id": "DGDQ31000000", "metadata": about, body: [{"form": "말이 있다."}]}
    (tmp_path / "a.json").write_text(json.dumps(record))
    (document,), _ = read(tmp_path / "a.json")
    assert document.text == "말이 있다."
    assert not {"corpus", "licence"} & document.metadata.keys()


def test_a_dialogue_of_feelings_is_read_from_its_table_too(read, tmp_path):
    columns = ["번호", "사람문장1", "시스템문장1", "사람문장2", "시스템문장2"]
    row = ["1", "비가 와서 못 갔어.", "아쉬웠겠어요.", "다음엔 가야지.", ""]
    with open(tmp_path / "t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, row])
    (document,), _ = read(tmp_path / "t.csv")
    assert document.text == "A: 비가 와서 못 갔어.\nB: 아쉬웠겠어요.\nA: 다음엔 가야지."


# --- Names that the user gives --------------------------------------------------------


def named(path, **names):
    reading = Reading(fields=Fields(**names))
    (file,) = find_files(path)
    return [item for item in read_file(file, reading) if not isinstance(item, Note)]


TABLES = {
    "a.csv": "번호,제호,기사내용,작성자\n7,첫눈,눈이 왔다.,홍길동\n",
    "a.jsonl": '{"번호": 7, "제호": "첫눈", "기사내용": "눈이 왔다.", "작성자": "홍길동"}\n',
    "a.json": '{"기사": [{"번호": 7, "제호": "첫눈", "기사내용": "눈이 왔다.", "글쓴이": "나"}]}',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_field_that_the_user_names_is_the_text(tmp_path, name):
    (tmp_path / name).write_text(TABLES[name])
    (document,) = named(tmp_path / name, text="기사내용", title="제호", id="번호")
    assert (document.id, document.text) == ("7", "첫눈\n\n눈이 왔다.")
    assert about(document) == {"title": "첫눈"}
    (reject,) = named(tmp_path / name, text="본문내용")
    assert reject.reason.startswith("the field '본문내용' is not there (keys: ")


# --- What people wrote on the web -----------------------------------------------------


def test_nsmc_keeps_the_quotes_that_somebody_typed(read, formats_dir):
    found, (reject,) = read(formats_dir / "community/ratings_test.txt")
    assert texts(found) == [
        '배우 표정 하나로 두 시간을 끌고 간다. "괜찮아" 할 때 울었음',
        "예고편이 전부다",
        '음악은 좋은데 이야기가 "어디서 본 듯한 느낌',
    ]
    assert (reject.line, reject.reason) == (4, "empty text")
    assert found[0].id == "9000001"
    assert about(found[0]) == {"corpus": "NSMC", "register": "review", "label": "1"}


def test_petitions_keep_commas_and_lines_within_quotes(read, formats_dir):
    (first, second), rejects = read(formats_dir / "community/petitions.csv")
    assert rejects == []
    assert first.text == (
        "학교 앞 신호를, 조금만 더 길게\n\n"
        "안녕하세요. 물빛초등학교 앞 건널목은 초록불이 11초입니다.\n"
        "할머니들은 반도 못 건너십니다. 5초만 늘려 주세요."
    )
    assert (first.id, second.id) == ("petitions.csv:2", "petitions.csv:4")
    assert first.metadata["date"] == "2031-04-02"
    assert first.metadata["register"] == "community"


def test_reviews_without_a_header_are_known_by_their_ratings(read, formats_dir):
    found, rejects = read(formats_dir / "community/shopping.txt")
    assert rejects == []
    assert [(d.metadata["rating"], d.text) for d in found][3] == ("1", "두 번 빨았더니 보풀이;;")


def test_who_wrote_a_review_is_not_taken_over(read, formats_dir):
    (first, _), _ = read(formats_dir / "community/place_reviews.tsv")
    assert about(first) == {"rating": "5", "date": "2031-05-01", "register": "review"}


def test_news_comments_are_comments(read, formats_dir):
    found, _ = read(formats_dir / "community/news_comments.jsonl")
    assert {document.metadata["register"] for document in found} == {"comment"}


def test_plain_text_is_one_document_even_if_it_starts_with_a_bracket(read, formats_dir):
    (document,), _ = read(formats_dir / "community/notice.txt")
    assert document.text.startswith("[공지] 공동 텃밭")


def test_a_record_of_no_known_layout_is_named_by_its_keys(read, tmp_path):
    (tmp_path / "a.json").write_text('{"data": [{"alpha": 1, "beta": [2]}]}')
    found, (reject, *rest) = read(tmp_path / "a.json")
    assert (found, rest) == ([], [])
    assert reject.reason.startswith("no text field (keys: alpha, beta; known: text")


# --- What is listed -------------------------------------------------------------------


def test_every_layout_that_is_read_is_listed(read, formats_dir):
    listed = formats.describe()
    found, _ = read(formats_dir / "aihub")
    names = {document.metadata["corpus"] for document in found if "corpus" in document.metadata}
    tables = {"AI-Hub 번역 말뭉치", "AI-Hub 한국어 대화", "AI-Hub 민원 콜센터 질의-응답"}
    assert all(name.removeprefix("AI-Hub ") in listed for name in names - tables)
    assert all(
        name in listed for name in ("고객질문(요청)", "SPEAKER", "한국어 with", *TEXT_FIELDS)
    )
