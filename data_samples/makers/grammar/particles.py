"""Rules about particles: which form, which case, topic or subject."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "pet": words("강아지, 고양이, 닭, 병아리, 송아지, 오리, 염소, 망아지, 거위, 양"),
    "destination": words(
        """서울, 부산, 제주도, 강릉, 대전, 광주, 속초, 여수, 목포, 울산, 바다, 산, 시골, 남쪽, 서쪽,
        공항, 강가, 종로, 을지로, 고향, 항구, 바닷가"""
    ),
    "ingredient": words("쌀, 밀가루, 콩, 옥수수, 감자, 메밀, 두부, 생선, 달걀, 밀, 호박, 찹쌀"),
    "material": words("나무, 철, 유리, 돌, 종이, 흙, 금, 은, 대나무, 가죽, 벽돌, 얼음, 실, 털실"),
    "pen": words("연필, 붓, 볼펜, 만년필, 분필, 왼손, 펜, 색연필, 나뭇가지, 발"),
    "vehicle": words("버스, 기차, 지하철, 비행기, 배, 자전거, 택시, 트럭, 자동차, 전철, 오토바이"),
    "office": words("반장, 회장, 대표, 총무, 서기, 부회장, 선수, 주장, 모델, 조장, 위원, 후보"),
    "language": words("한국어, 영어, 한글, 우리말, 일본어, 프랑스어, 점자, 몽골 말, 독일 말"),
    # Doing something there, where -에 could not mean towards it or onto it.
    "deed": table(
        "object verb place",
        """책, 읽다, 도서관; 신문, 읽다, 거실; 밥, 먹다, 식당; 국수, 먹다, 시장; 김밥, 먹다, 공원;
        점심, 먹다, 회사; 커피, 마시다, 카페; 우유, 마시다, 부엌; 음악, 듣다, 거실;
        강의, 듣다, 강당; 영화, 보다, 극장; 경기, 보다, 경기장; 친구, 만나다, 카페;
        손님, 만나다, 호텔; 요리, 배우다, 학원; 수영, 배우다, 수영장; 한국어, 배우다, 학교;
        자전거, 타다, 공원; 접시, 닦다, 부엌; 축구, 하다, 운동장; 숙제, 하다, 교실;
        회의, 하다, 회의실; 체조, 하다, 체육관; 춤, 추다, 무대; 노래, 부르다, 노래방;
        이야기, 나누다, 찻집; 고기, 굽다, 마당; 만두, 만들다, 부엌""",
    ),
    "left": table(
        "thing spot",
        """열쇠, 서랍; 지갑, 가방; 우산, 현관; 모자, 옷장; 사진, 지갑; 편지, 우편함; 우유, 냉장고;
        안경, 책상 위; 공책, 책장; 가위, 서랍; 휴대폰, 주머니; 과자, 상자; 신발, 신발장;
        자전거, 마당; 책, 책꽂이; 그림, 벽; 시계, 침대 옆; 컵, 식탁 위""",
    ),
    "plant": words("꽃, 나무, 화분, 장미, 배추, 상추, 잔디, 선인장, 난초, 고추, 벼, 채소"),
    "institution": words("회사, 은행, 병원, 학교, 구청, 호텔, 식당, 여행사, 도서관, 우체국"),
    "happening": table(
        "s verb",
        """비, 오다; 눈, 내리다; 꽃, 피다; 해, 뜨다; 달, 뜨다; 파도, 치다; 얼음, 녹다; 물, 흐르다;
        문, 열리다; 불, 꺼지다; 버스, 서다; 물, 끓다; 나무, 자라다; 잎, 떨어지다; 꽃, 시들다;
        종이, 젖다; 길, 막히다; 수업, 끝나다; 옷, 마르다; 해, 지다; 그릇, 깨지다""",
    ),
    "winner": words("팀, 학교, 나라, 선수, 반, 학생, 마을, 말, 배우, 가수"),
    "best": table(
        "thing v",
        """무엇, 어렵다; 무엇, 쉽다; 무엇, 맛있다; 무엇, 중요하다; 무엇, 무겁다; 무엇, 비싸다;
        무엇, 맵다; 무엇, 재미있다; 어느 길, 가깝다; 어느 방, 넓다; 어느 산, 높다; 어느 강, 깊다;
        어느 가게, 싸다; 어느 꽃, 예쁘다; 어느 차, 빠르다; 어느 집, 조용하다; 어디, 가깝다;
        어디, 조용하다; 어디, 넓다; 어느 것, 가볍다""",
    ),
    "virtue": verbs("빠르다, 키가 크다, 어리다, 바쁘다, 똑똑하다, 힘이 세다, 부지런하다, 친절하다"),
    "folk": words("나무꾼, 임금, 공주, 농부, 선비, 부자, 어부, 할머니, 왕자, 총각, 도깨비, 스님"),
    "liked": words(
        """사과, 수박, 겨울, 바다, 산, 여름, 김치, 빵, 음악, 영화, 고양이, 강아지, 비, 눈, 꽃, 시골,
        도시, 봄, 운동, 커피, 국수, 떡볶이, 바람, 가을"""
    ),
    "missed": words("고향, 친구, 할머니, 옛집, 바다, 어린 시절, 선생님, 고향 집, 그 노래, 그 시절"),
    "feared": words("개, 뱀, 귀신, 거미, 천둥, 호랑이, 어둠, 벌, 쥐, 시험, 불, 곰"),
    "needed": words("돈, 시간, 도움, 휴식, 연필, 지도, 물, 친구, 우산, 사전, 열쇠, 용기"),
    "part": table(
        "noun v",
        """키, 크다; 눈, 크다; 손, 작다; 목소리, 좋다; 머리, 길다; 다리, 길다; 힘, 세다; 발, 빠르다;
        마음, 넓다; 코, 높다; 얼굴, 작다; 손, 따뜻하다; 목소리, 크다; 눈, 나쁘다; 귀, 밝다;
        걸음, 빠르다; 성격, 밝다; 웃음, 많다; 욕심, 없다; 말, 많다""",
    ),
    "soon": words("내일, 오늘 저녁에, 주말에, 밤에, 오후에, 아침에"),
}

PHENOMENA = {
    "particle_form": """
        # the topic is marked by 은 after a consonant, by 는 after a vowel
        [{name:은}|{name:*은}] {act.place}에서 {act.object:을} {act.verb:었다}.
        [{pet:은}|{pet:*은}] 지금 마당에서 놀고 있다.
        어제 산 [{thing:은}|{thing:*은}] 마음에 들었다.
        # the subject is marked by 이 after a consonant, by 가 after a vowel
        [{name:이}|{name:*이}] 나에게 {gift:을} 주었다.
        책상 위에 [{small:이}|{small:*이}] 있다.
        [{friend:이}|{friend:*이}] {city}에서 편지를 보냈다.
        # the object is marked by 을 after a consonant, by 를 after a vowel
        {name:은} {act.place}에서 [{act.object:을}|{act.object:*을}] {act.verb:었다}.
        생일에 {friend:이} [{gift:을}|{gift:*을}] 주었다.
        # "and" is 과 after a consonant, 와 after a vowel
        가방에 [{small:과}|{small:*과}] {small2:이} 들어 있다.
        {name:은} [{name2:과}|{name2:*과}] 함께 {city}에 갔다.
        시장에서 [{fruit:과}|{fruit:*과}] {fruit2:을} 샀다.
        # "or" is 이나 after a consonant, 나 after a vowel
        목이 마르면 [{drink:이나}|{drink:*이나}] {drink2:을} 드세요.
        # "with" is 이랑 after a consonant, 랑 after a vowel
        {name:은} [{friend:이랑}|{friend:*이랑}] {sport:을} 했다.
        # one calls a friend with 아 after a consonant, with 야 after a vowel
        [{name:아}|{name:*아}], 지금 {city}에 있니?
        [{name:아}|{name:*아}], {soon} 같이 {sport:을} 하자.
    """,
    "direction_particle": """
        # 으로 after a consonant, 로 after a vowel and after ㄹ
        {name:은} 내일 [{destination:으로}|{destination:*으로}] 떠난다.
        이 버스는 [{destination:으로}|{destination:*으로}] 간다.
        이 음식은 [{ingredient:으로}|{ingredient:*으로}] 만들었다.
        이 상자는 [{material:으로}|{material:*으로}] 만들었다.
        {name:은} [{pen:으로}|{pen:*으로}] 글씨를 쓴다.
        {name:은} [{vehicle:으로}|{vehicle:*으로}] 여행을 다녔다.
        {name:은} 올해 [{office:으로}|{office:*으로}] 뽑혔다.
        저는 [{language:으로}|{language:*으로}] 편지를 썼습니다.
    """,
    "case_particle": """
        # 에서 is where something is done
        {name:은} {deed.place}[에서|에] {deed.object:을} {deed.verb:었다}.
        {friend:은} 지금 {deed.place}[에서|에] {deed.object:을} {deed.verb:고} 있다.
        # 에 is where something is, and where one arrives
        {left.thing:은} {left.spot}[에|에서] 있다.
        {name:은} 지금 {city}[에|에서] 있다.
        {name:은} 오늘 아침 {city}[에|에서] 도착했다.
        # 에게 is for persons and animals, 에 for plants and institutions
        {name:은} {friend}[에게|에] {gift:을} 주었다.
        {name:은} {friend}[에게|에] 전화를 걸었다.
        {name:은} 아침마다 {plant}[에|에게] 물을 준다.
        {name:은} {institution}[에|에게] 전화를 걸었다.
        # an intransitive verb takes no object
        [{happening.s:이}|{happening.s:을}] {happening.verb:었다}.
        # an object is marked by 을/를, not by 이/가
        {name:은} {act.place}에서 [{act.object:을}|{act.object:이}] {act.verb:었다}.
        # 되다 and 아니다 take a noun with 이/가
        {name:은} 커서 [{job:이}|{job:을}] 되었다.
        나는 [{job:이}|{job:을}] 아니다.
        # the source is 에게서 for a person, 에서 for a place
        나는 {friend}[에게서|에서] {gift:을} 받았다.
        이 버스는 {city}[에서|에게서] 왔다.
    """,
    "topic_subject": """
        # a question word as subject takes 이/가
        이 중에서 [누가|누군] 가장 {virtue:어요}?
        이 중에서 [{best.thing:이}|{best.thing:은}] 가장 {best.v:어요}?
        결승에서 어느 [{winner:이}|{winner:은}] 이겼어요?
        # the subject of a clause that modifies a noun takes 이/가
        이것은 어제 [{name:이}|{name:은}] {memory.verb:은} {memory.noun:이다}.
        어제 [{friend:이}|{friend:은}] {memory.verb:은} {memory.noun:을} 나도 좋아한다.
        지난주에 [내가|나는] {memory.verb:은} {memory.noun:을} {name}도 알고 있다.
        # the subject of a clause of condition or time takes 이/가
        [{happening.s:이}|{happening.s:은}] {happening.verb:으면} {name:은} 나에게 알려 준다.
        [{name:이}|{name:은}] {city}에 도착했을 때 나는 자고 있었다.
        # who appears for the first time in a tale takes 이/가
        옛날 어느 마을에 한 [{folk:이}|{folk:은}] 살고 있었다.
    """,
    "feeling_predicate": """
        # an adjective of feeling has what one feels about as its subject
        나는 [{liked:이}|{liked:을}] 좋다.
        나는 [{liked:이}|{liked:을}] 싫다.
        나는 [{missed:이}|{missed:을}] 그립다.
        나는 [{feared:이}|{feared:을}] 무섭다.
        나는 지금 [{needed:이}|{needed:을}] 필요하다.
        # the verb made from it has it as its object
        {name:은} [{liked:을}|{liked:이}] 좋아한다.
        {name:은} [{liked:을}|{liked:이}] 싫어한다.
        {name:은} [{feared:을}|{feared:이}] 무서워한다.
        {name:은} [{missed:을}|{missed:이}] 그리워한다.
        # one knows only one's own feeling: of others it is 싶어 한다, 좋아한다
        {name:은} {act.object:을} {act.verb:고} [싶어 한다|싶다].
        나는 {act.object:을} {act.verb:고} [싶다|싶어 한다].
        {name:은} {liked:을} [좋아한다|좋다].
        나는 {feared:이} [무섭다|무서워한다].
        # a person and a part of the person are both subjects of an adjective
        {name:은} [{part.noun:이}|{part.noun:을}] {part.v:다}.
    """,
}
