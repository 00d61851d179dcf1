"""The words that the rules put into their sentences, sorted so that every sentence makes sense.

`words`, `verbs` and `table` read the lists; `LEXICON` holds those that several phenomena share.
A table's columns are attributes of its rows; a column whose name starts with "v" holds verbs.
"""

from types import SimpleNamespace

from data_samples.makers.grammar.morphology import Noun, Verb


def words(text: str) -> list[Noun]:
    """Nouns, or any words that take no ending, separated by commas."""
    return [Noun(" ".join(word.split())) for word in text.split(",")]


def verbs(text: str) -> list[Verb]:
    """Verbs and adjectives in dictionary form, alone or with their object, separated by commas."""
    return [Verb(word) for word in words(text)]


def table(columns: str, text: str) -> list[SimpleNamespace]:
    """Rows separated by semicolons, columns by commas.

    Raises:
        ValueError: a row has more or fewer columns than there are names.
    """
    names = columns.split()
    rows = []
    for line in text.split(";"):
        cells = words(line)
        if len(cells) != len(names):
            raise ValueError(f"{line.strip()!r} should have the columns {columns}")
        row = zip(names, cells, strict=True)
        rows.append(SimpleNamespace(**{n: Verb(c) if n[0] == "v" else c for n, c in row}))
    return rows


LEXICON = {
    "name": words(
        """민수, 지현, 수빈, 영호, 하윤, 준서, 서연, 태윤, 다은, 현우, 유진, 은지, 재민, 소라, 동건,
        미진, 진호, 세영, 지우, 한별, 보람, 예슬, 가람, 도윤, 윤아, 상철, 혜주, 민재"""
    ),
    "friend": words("""친구, 동생, 누나, 형, 언니, 조카, 사촌, 짝꿍, 후배, 이웃, 손님, 선배"""),
    "elder": words(
        """할아버지, 할머니, 아버지, 어머니, 선생님, 교수님, 사장님, 원장님, 부장님, 외할머니,
        시어머니, 큰아버지, 장모님, 교장 선생님, 스승님, 목사님, 고모부, 이모님"""
    ),
    "young": words("""동생, 조카, 막내, 아이, 후배, 손자, 손녀, 사촌 동생, 막냇동생, 꼬마"""),
    "job": words(
        """의사, 간호사, 선생님, 가수, 요리사, 화가, 기자, 변호사, 작가, 배우, 경찰관, 소방관, 군인,
        농부, 조종사, 건축가, 미용사, 통역사, 사진작가, 공무원, 회사원, 대학생"""
    ),
    "city": words(
        """서울, 부산, 강릉, 대전, 광주, 전주, 속초, 여수, 목포, 울산, 춘천, 경주, 포항, 인천, 안동,
        제주, 군산, 통영, 수원, 원주, 진주, 순천"""
    ),
    "gift": words(
        """선물, 꽃다발, 초콜릿, 사과, 시계, 우산, 인형, 지갑, 장갑, 목도리, 엽서, 사탕, 연필, 필통,
        모자, 책갈피, 귤, 손수건, 떡, 케이크"""
    ),
    "thing": words(
        """가방, 모자, 시계, 우산, 구두, 안경, 지갑, 컵, 의자, 이불, 운동화, 목걸이, 휴대폰, 카메라,
        책상, 베개, 장갑, 코트, 치마, 냄비, 칼, 그릇, 인형, 거울"""
    ),
    "small": words(
        """연필, 공책, 지우개, 열쇠, 사진, 우표, 동전, 컵, 가위, 볼펜, 수첩, 자, 편지, 풀, 칼, 달력,
        손수건, 안경, 물통, 사탕"""
    ),
    "fruit": words(
        """사과, 배, 감, 귤, 포도, 수박, 참외, 딸기, 복숭아, 자두, 살구, 바나나, 레몬"""
    ),
    "drink": words("""물, 우유, 커피, 녹차, 주스, 보리차, 유자차, 식혜, 수정과, 홍차, 콜라"""),
    "native": words("두, 세, 네, 다섯, 여섯, 일곱, 여덟, 아홉, 열"),
    "past": words("""어제, 그저께, 지난주에, 지난달에, 며칠 전에, 엊그제, 지난 일요일에"""),
    # Counted from today only: 다음 주에 may be the week after, in a story of the past.
    "future": words("내일, 모레, 내일 저녁에, 모레 아침에, 내일 오후에, 내년에"),
    # What people do, to what and where.
    "act": table(
        "object verb place",
        """책, 읽다, 도서관; 신문, 읽다, 거실; 소설, 읽다, 카페; 밥, 먹다, 식당; 국수, 먹다, 시장;
        김밥, 먹다, 공원; 떡볶이, 먹다, 분식집; 점심, 먹다, 회사; 수박, 먹다, 마루;
        커피, 마시다, 카페; 우유, 마시다, 부엌; 녹차, 마시다, 찻집; 주스, 마시다, 매점;
        옷, 사다, 백화점; 과일, 사다, 시장; 운동화, 사다, 가게; 꽃, 사다, 꽃집; 빵, 사다, 빵집;
        사진, 찍다, 공원; 동영상, 찍다, 바닷가; 음악, 듣다, 거실; 강의, 듣다, 강당;
        라디오, 듣다, 부엌; 영화, 보다, 극장; 연극, 보다, 대학로; 경기, 보다, 경기장;
        그림, 보다, 미술관; 친구, 만나다, 카페; 손님, 만나다, 호텔; 선배, 만나다, 학교;
        노래, 부르다, 노래방; 빵, 굽다, 부엌; 고기, 굽다, 마당; 춤, 추다, 무대; 요리, 배우다, 학원;
        수영, 배우다, 수영장; 한국어, 배우다, 학교; 피아노, 배우다, 학원; 자전거, 타다, 공원;
        썰매, 타다, 눈밭; 접시, 닦다, 부엌; 유리창, 닦다, 교실; 표, 사다, 매표소; 돈, 찾다, 은행;
        자료, 찾다, 도서관; 축구, 하다, 운동장; 숙제, 하다, 교실; 청소, 하다, 교실;
        회의, 하다, 회의실; 이야기, 나누다, 카페; 모자, 고르다, 가게; 선물, 고르다, 백화점;
        시계, 고치다, 가게; 의자, 만들다, 공방; 만두, 만들다, 부엌; 감자, 캐다, 밭;
        빨래, 널다, 마당; 물고기, 잡다, 강; 체조, 하다, 체육관""",
    ),
    # What one remembers, with the verb that made it so.
    "memory": table(
        "noun verb",
        """책, 읽다; 소설, 읽다; 시, 읽다; 영화, 보다; 공연, 보다; 그림, 보다; 사람, 만나다;
        손님, 만나다; 음식, 먹다; 국수, 먹다; 노래, 듣다; 이야기, 듣다; 연주, 듣다; 옷, 사다;
        가구, 사다; 차, 마시다; 길, 걷다; 사진, 찍다; 선물, 받다; 편지, 쓰다; 글, 쓰다; 마을, 찾다;
        춤, 배우다; 노래, 부르다; 빵, 만들다; 장난감, 만들다; 물건, 고르다""",
    ),
    # A noun and an adjective that fits it.
    "trait": table(
        "noun v",
        """방, 넓다; 방, 좁다; 교실, 밝다; 가방, 작다; 가방, 무겁다; 꽃, 예쁘다; 강, 깊다; 산, 높다;
        옷, 비싸다; 옷, 얇다; 신발, 크다; 의자, 낮다; 국, 뜨겁다; 물, 차갑다; 문제, 쉽다;
        시험, 어렵다; 고추, 맵다; 목소리, 부드럽다; 기차, 빠르다; 음악, 슬프다; 이불, 두껍다;
        호수, 맑다; 거리, 조용하다; 시장, 복잡하다; 물, 깨끗하다; 줄, 짧다; 다리, 길다; 사탕, 달다;
        책, 두껍다; 상자, 가볍다; 머리, 길다; 도로, 넓다; 얼굴, 둥글다; 골목, 어둡다; 아기, 귀엽다;
        집, 멀다; 학교, 가깝다; 마당, 넓다; 소리, 크다; 물, 따뜻하다; 마을, 조용하다""",
    ),
}
