"""All rules of cleaning in the order in which they run, each with an example that a test runs.

Nothing goes in; out comes `RULES`, for lessons and reports that explain what a count means.
"""

import dataclasses

_ARTICLE = (
    "군산시는 옛 곡물 창고를 고쳐 도서관으로 다시 연다고 3일 밝혔다. 책은 3만 권이다.\n\n"
    "설계를 맡은 건축가는 벽돌의 흔적을 지우지 않으려고 물로만 씻었다고 말했다."
)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of cleaning.

    Attributes:
        name: as counted in reports.
        what: what it does and why, in a sentence.
        example: a text that it changes or drops.
        becomes: the text after cleaning; None for a rule that drops documents.
        register: of the example.
        quality: whether it runs only when quality is asked for.
    """

    name: str
    what: str
    example: str
    becomes: str | None = None
    register: str | None = None
    quality: bool = False


REWRITING = (
    Rule(
        "repair_mojibake",
        "Decodes again what was decoded with the wrong encoding, where that is certain.",
        "ì•ˆë…•í•˜ì„¸ìš”",
        "안녕하세요",
    ),
    Rule(
        "compose_hangul",
        "Composes Hangul (NFC); lone conjoining letters become the letters one types.",
        "\u1112\u1161\u11ab\u1100\u1173\u11af \u110f\u110f",
        "한글 ㅋㅋ",
    ),
    Rule(
        "strip_html",
        "Decodes entities and takes out tags; a block tag becomes a line break.",
        "맛있다&nbsp;<b>진짜</b><br/>또 감",
        "맛있다 진짜\n또 감",
        "review",
    ),
    Rule(
        "remove_invisible",
        "Drops zero-width and control characters; every kind of blank becomes a space.",
        "좋\u200b아요\u00a0정말",
        "좋아요 정말",
    ),
    Rule(
        "shorten_runs",
        "Shortens runs of emoticons and punctuation to two, dots to three.",
        "하하ㅋㅋㅋ 대박!!!! 그런데.....",
        "하하ㅋㅋ 대박!! 그런데...",
    ),
    Rule(
        "join_spaced_out",
        "Joins syllables that were spaced out, where it is certain what they spell.",
        "안 녕 하 세 요! 오 늘 은  날 씨 가  좋 다",
        "안녕하세요! 오늘은 날씨가 좋다",
    ),
    Rule(
        "tidy_whitespace",
        "One space between words, none at a line's ends, one empty line between paragraphs.",
        "  첫째  문단 \n\n\n\n 둘째 문단",
        "첫째 문단\n\n둘째 문단",
        "review",
    ),
    Rule(
        "collapse_repeats",
        "Keeps the first of three or more copies, in a row, of a phrase of 3 to 13 eojeol.",
        "제발 꼭 도와주세요 제발 꼭 도와주세요 제발 꼭 도와주세요 부탁입니다",
        "제발 꼭 도와주세요 부탁입니다",
    ),
    Rule(
        "remove_boilerplate",
        "Takes out bylines, copyright notices, share buttons and footers, by line or span.",
        "비가 그쳤다.\n홍길동 기자 hong@example.com\nⓒ 새벽신문, 무단전재 금지\n내일은 맑다.",
        "비가 그쳤다.\n내일은 맑다.",
        "community",
    ),
)

DROPPING = (
    Rule(
        "nested_markup",
        "Layers of escapes without end, which somebody piled up on purpose.",
        "글 &" + "#38;" * 30 + "lt; 글",
    ),
    Rule(
        "foreign",
        "Less than half of the text, in bytes of letters, is in a language that is wanted.",
        "한국어 페이지\nThe rest of this page has never been translated into Korean at all.",
    ),
    Rule(
        "too_short",
        "Shorter than the shortest useful text of its register.",
        "굿",
        register="review",
    ),
    Rule(
        "too_long",
        "A dump rather than a document.",
        " ".join(f"{number}번 손님 잘 먹고 갑니다." for number in range(2000)),
        register="comment",
    ),
    Rule(
        "hangul_share",
        "A text said to be Korean with hardly any Hangul: a row of stars, a table.",
        "★★★★★ 굿 ★★★★★",
        register="review",
    ),
    Rule(
        "broken_characters",
        "Bytes were lost in decoding: U+FFFD, or '?' between syllables that nobody uses.",
        "?덈뀞?섏꽭?? 諛섍컩?듬땲??",
        register="review",
    ),
    Rule(
        "private_use",
        "More than one character in fifty that only one font can show, like Hanyang's old Hangul.",
        "나랏\uebd4미 듕귁에 달아 문자와로 서르",
        register="sentence",
    ),
    Rule(
        "eojeol_length",
        "Words too short or too long on average: spaces between all syllables, or none at all.",
        "날 씨 가 참 좋 습 니 다 그 래 서 오 늘 은 다 같 이 강 가 에 나 가 기 로 했 습 니 다",
        register="news",
    ),
    Rule(
        "unspaced",
        "Much of the text stands in eojeol of more than 20 syllables.",
        f"{_ARTICLE} 그뒤로는띄어쓰기가모두사라져서어디까지가한낱말인지알수없는글이이어진다",
        register="news",
    ),
    Rule(
        "symbols",
        "Mostly hashtags and dots.",
        "#맛집 #강남 #일상 #소통 #맞팔 #선팔 오늘의 점심은 강남에서 먹은 김치찌개 백반과 계란말이",
        register="news",
    ),
    Rule(
        "repeated_characters",
        "The same few characters over and over.",
        "최고 최고 최고 최고 최고 최고 최고 최고",
        register="review",
    ),
    Rule(
        "repeated_ngrams",
        "Sequences of five eojeol that stood in this document before.",
        f"{_ARTICLE} {_ARTICLE} {_ARTICLE}",
        register="comment",
    ),
    Rule(
        "bullet_lines",
        "A menu or a sitemap: nearly every line starts with a bullet.",
        "\n".join(f"- 차림표 {number}번의 값과 재료" for number in range(12)),
        register="news",
    ),
    Rule(
        "ellipsis_lines",
        "Teasers: too many lines break off in an ellipsis.",
        "\n".join(f"{number}번째 충격적인 사실은 바로 다음 쪽에서..." for number in range(8)),
        register="notice",
    ),
    Rule(
        "duplicate_lines",
        "Lines that stood in this document before.",
        "오늘의 운세 보기\n쥐띠는 동쪽\n오늘의 운세 보기\n소띠는 서쪽\n오늘의 운세 보기",
        register="blog",
    ),
    Rule(
        "advert",
        "Offers of gambling, escorts or loans, more than one, dense, with a way to take them up.",
        "온라인 카지노 추천 먹튀검증 안전놀이터 가입코드 7777 카톡문의 환영",
        register="comment",
    ),
)

# FineWeb-2's measures, which need the analyser Kiwi.
QUALITY = (
    Rule(
        "quality_unpunctuated_lines",
        "Hardly a line ends in punctuation: no sentences.",
        "차림표와 값을 적은 종이\n김치찌개는 팔천 원\n된장찌개는 칠천 원\n계란말이는 오천 원",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_duplicate_lines",
        "Lines that stood in this document before, however short.",
        "오늘은 맑다.\n예\n내일은 흐리고 비가 온다고 한다.\n예\n모레는 다시 갠다고 한다.\n예\n예",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_line_breaks",
        "More than a line break for every five words.",
        "봄이 온다.\n꽃이\n핀다.\n새가\n운다.\n물이\n흐른다.\n나는\n간다.\n길이\n멀다.",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_word_length",
        "Words too short or too long on average.",
        "브라키오사우루스 1234567890123456789 티라노사우루스 1234567890123456789 는 을 의.",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_words_without_letters",
        "Mostly numbers and signs.",
        "승률 0.512, 0.498, 0.611 / 득점 31, 28, 45 / 실점 22, 30, 41 / "
        "순위는 3, 5, 1 순서로 적은 표이다.",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_stop_words",
        "Fewer than two of the 21 commonest words and endings.",
        "김하늘 서울 남산 도서관 책상 의자 연필 공책.\n박바다 부산 영도 등대 배 그물 밧줄 돛.",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_top_ngram",
        "One sequence of two to four words makes up much of the text.",
        "우리 집 고양이 나비. 우리 집 강아지 보리. 우리 집 앵무새 콩이. 우리 집 거북이는 느리다.",
        register="blog",
        quality=True,
    ),
    Rule(
        "quality_duplicate_ngrams",
        "Sequences of 5 to 10 words that stood in this document before.",
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오. 그늘지고 서늘한 곳에 두고 어린이 "
        "손이 닿지 않게 하십시오. 눈에 들어가면 흐르는 물로 씻어 냅니다. "
        "이 약은 하루 세 번 식사를 마치고 물과 함께 드십시오.",
        register="blog",
        quality=True,
    ),
)
RULES = (*REWRITING, *DROPPING, *QUALITY)
