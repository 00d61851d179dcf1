"""Rules about particles: which form, which case, topic or subject."""

from data_samples.makers.grammar.lexicon import table, words

TABLES = {
    "pet": words("강아지, 고양이, 닭, 병아리, 송아지, 오리, 염소, 망아지, 거위, 토끼"),
    "plant": words("꽃, 나무, 화분, 장미, 배추, 상추, 잔디, 선인장, 난초, 고추, 채소"),
    # Persons, not places: 이웃에서 들었다 is right.
    "fellow": words("친구, 동생, 누나, 형, 언니, 조카, 사촌, 짝꿍, 후배, 삼촌, 손님, 선배"),
    "institution": words("회사, 은행, 병원, 학교, 구청, 호텔, 식당, 여행사, 도서관, 우체국"),
    "far_c": words("부산, 강릉, 대전, 울산, 인천, 남쪽, 서쪽, 공항, 고향, 시장, 춘천, 수원"),
    "far_o": words("제주도, 광주, 여수, 목포, 바다, 서울, 종로, 항구, 바닷가, 강가, 시골"),
    "ingredient_c": words("콩, 생선, 호박, 밤, 쑥, 팥, 당근, 잣, 버섯"),
    "ingredient_o": words("밀가루, 옥수수, 감자, 두부, 쌀, 메밀, 고구마, 보리, 달걀"),
    "material_c": words("흙, 금, 은, 가죽, 얼음, 천, 짚"),
    "material_o": words("나무, 유리, 종이, 돌, 실, 대나무, 철, 벽돌, 조개"),
    "pen_c": words("붓, 볼펜, 왼손, 펜, 사인펜, 크레용, 오른손, 형광펜"),
    "pen_o": words("연필, 분필, 만년필, 나뭇가지, 발, 색연필"),
    "ride_c": words("트럭, 유람선, 여객선, 화물선"),
    "ride_o": words("버스, 기차, 지하철, 비행기, 배, 자전거, 오토바이"),
    "office_c": words("반장, 회장, 주장, 조장, 위원, 부회장"),
    "office_o": words("대표, 총무, 서기, 선수, 후보, 모델"),
    # Doing something there, where one can also just be, or go in.
    "deed": table(
        "object verb place",
        """책, 읽다, 도서관; 밥, 먹다, 식당; 국수, 먹다, 시장; 김밥, 먹다, 공원; 점심, 먹다, 회사;
        커피, 마시다, 카페; 강의, 듣다, 강당; 영화, 보다, 극장; 경기, 보다, 경기장;
        손님, 만나다, 호텔; 요리, 배우다, 학원; 수영, 배우다, 수영장; 한국어, 배우다, 학교;
        축구, 하다, 운동장; 회의, 하다, 회의실; 체조, 하다, 체육관; 노래, 부르다, 노래방;
        이야기, 나누다, 찻집; 숙제, 하다, 교실""",
    ),
    # What happens by itself, and what one does to the same thing: no verb that is both (내리다,
    # 펴다), none that the thing could do by another meaning (타다, 듣다).
    "both": table(
        "n vi vt",
        """비, 오다, 맞다; 눈, 녹다, 치우다; 물, 흐르다, 마시다; 물, 끓다, 붓다; 문, 열리다, 열다;
        불, 꺼지다, 끄다; 버스, 오다, 놓치다; 나무, 자라다, 심다; 꽃, 떨어지다, 꺾다;
        빨래, 마르다, 널다; 그릇, 깨지다, 씻다; 종이, 젖다, 접다;
        수업, 끝나다, 준비하다; 꽃, 시들다, 사다; 편지, 도착하다, 쓰다;
        전화, 오다, 받다; 얼음, 녹다, 깨다; 돈, 모자라다, 빌리다;
        창문, 깨지다, 닦다; 기차, 도착하다, 놓치다""",
    ),
    "kept": table(
        "noun verb",
        """책, 읽다; 소설, 읽다; 그림, 그리다; 빵, 굽다; 옷, 사다; 사진, 찍다;
        선물, 받다; 편지, 쓰다;
        글, 쓰다; 노래, 부르다; 장난감, 만들다; 의자, 고치다; 모자, 사다; 연극, 보다; 영화, 보다;
        국수, 먹다; 춤, 배우다; 이야기, 듣다; 과자, 굽다; 시, 읽다""",
    ),
    # Nothing that could itself like, miss or fear somebody.
    "liked": words(
        """사과, 수박, 겨울, 바다, 산, 여름, 김치, 빵, 음악, 영화, 비, 눈, 꽃, 시골, 도시, 봄, 운동,
        커피, 국수, 떡볶이, 바람, 가을"""
    ),
    "missed": words("고향, 바다, 옛집, 어린 시절, 고향 집, 그 노래, 그 시절, 학창 시절, 그 맛"),
    "feared": words("천둥, 어둠, 불, 시험, 번개, 높은 곳, 지진, 태풍, 밤길, 깊은 물"),
    "needed": words("돈, 지도, 물, 우산, 사전, 열쇠, 연필, 컵, 수건, 가위"),
    "envied": words("목소리, 재능, 용기, 집, 젊음, 솜씨, 건강, 자유"),
}

PHENOMENA = {
    "particle_form": """
        # the topic is marked by 은 after a consonant, by 는 after a vowel
        [{name_c:은}|{name_c:*은}] {city}에 갔다.
            / [{name_o:은}|{name_o:*은}] {city}에 갔다.
        어제 산 [{thing_c:은}|{thing_c:*은}] 마음에 든다.
            / 어제 산 [{thing_o:은}|{thing_o:*은}] 마음에 든다.
        # the subject is marked by 이 after a consonant, by 가 after a vowel
        책상 위에 [{small_c:이}|{small_c:*이}] 있다.
            / 책상 위에 [{small_o:이}|{small_o:*이}] 있다.
        [{friend_c:이}|{friend_c:*이}] 편지를 보냈다.
            / [{friend_o:이}|{friend_o:*이}] 편지를 보냈다.
        # the object is marked by 을 after a consonant, by 를 after a vowel
        {friend:이} [{gift_c:을}|{gift_c:*을}] 주었다.
            / {friend:이} [{gift_o:을}|{gift_o:*을}] 주었다.
        시장에서 [{fruit_c:을}|{fruit_c:*을}] 샀다.
            / 시장에서 [{fruit_o:을}|{fruit_o:*을}] 샀다.
        # "and" is 과 after a consonant, 와 after a vowel
        가방에 [{small_c:과}|{small_c:*과}] 거울이 있다.
            / 가방에 [{small_o:과}|{small_o:*과}] 거울이 있다.
        [{friend_c:과}|{friend_c:*과}] 함께 {city}에 갔다.
            / [{friend_o:과}|{friend_o:*과}] 함께 {city}에 갔다.
        # "or" is 이나 after a consonant, 나 after a vowel
        배고프면 [{fruit_c:이나}|{fruit_c:*이나}] 드세요.
            / 배고프면 [{fruit_o:이나}|{fruit_o:*이나}] 드세요.
        # one calls a friend with 아 after a consonant, with 야 after a vowel
        [{name_c:아}|{name_c:*아}], {city}에 있니?
            / [{name_o:아}|{name_o:*아}], {city}에 있니?
    """,
    "direction_particle": """
        # 으로 after a consonant, 로 after a vowel and after ㄹ
        {name:은} 내일 [{far_c:으로}|{far_c:*으로}] 떠난다.
            / {name:은} 내일 [{far_o:으로}|{far_o:*으로}] 떠난다.
        이 버스는 [{far_c:으로}|{far_c:*으로}] 간다.
            / 이 버스는 [{far_o:으로}|{far_o:*으로}] 간다.
        이 음식은 [{ingredient_c:으로}|{ingredient_c:*으로}] 만들었다.
            / 이 음식은 [{ingredient_o:으로}|{ingredient_o:*으로}] 만들었다.
        이 인형은 [{material_c:으로}|{material_c:*으로}] 만들었다.
            / 이 인형은 [{material_o:으로}|{material_o:*으로}] 만들었다.
        {name:은} [{pen_c:으로}|{pen_c:*으로}] 글씨를 쓴다.
            / {name:은} [{pen_o:으로}|{pen_o:*으로}] 글씨를 쓴다.
        {name:은} [{ride_c:으로}|{ride_c:*으로}] 섬에 갔다.
            / {name:은} [{ride_o:으로}|{ride_o:*으로}] 섬에 갔다.
        {name:은} [{office_c:으로}|{office_c:*으로}] 뽑혔다.
            / {name:은} [{office_o:으로}|{office_o:*으로}] 뽑혔다.
    """,
    "case_particle": """
        # 에서 is where something is done, 에 where something is or is not
        {name:은} {deed.place}[에서|에] {deed.object:을} {deed.verb:었다}.
            / {name:은} 어제 {deed.place}[에|에서] 있었다.
        {friend:은} {deed.place}[에서|에] {deed.object:을} {deed.verb:고} 있다.
            / {friend:은} 지금 {deed.place}[에|에서] 없다.
        # 에게 is for persons and animals, 에 for plants and institutions
        {name:은} {fellow}[에게|에] 전화를 걸었다.
            / {name:은} {institution}[에|에게] 전화를 걸었다.
        {name:은} {pet}[에게|에] 물을 주었다.
            / {name:은} {plant}[에|에게] 물을 주었다.
        # an intransitive verb has a subject with 이/가, a transitive one an object with 을/를
        어제 [{both.n:이}|{both.n:을}] {both.vi:었다}.
            / {name:은} 어제 [{both.n:을}|{both.n:이}] {both.vt:었다}.
        # 아니다 takes a noun with 이/가
        이것은 [{thing:이}|{thing:을}] 아니다.
            / 나는 어제 [{thing:을}|{thing:이}] 샀다.
        # the source is 에게서 for a person, 에서 for a place
        이 편지는 {fellow}[에게서|에서] 왔다.
            / 이 편지는 {city}[에서|에게서] 왔다.
        나는 그 소식을 {fellow}[에게서|에서] 들었다.
            / 나는 그 소식을 {institution}[에서|에게서] 들었다.
    """,
    "topic_subject": """
        # the subject of a clause before a noun takes 이/가; an object that is the topic takes 은/는
        이것은 [{name_c:이}|{name_c:은}] {kept.verb:은} {kept.noun:이다}.
            / 그 [{kept_c2.noun:은}|{kept_c2.noun:이}] {name_o2:이} {kept_c2.verb:었다}.
        이것은 [{name_o:이}|{name_o:은}] {kept.verb:은} {kept.noun:이다}.
            / 그 [{kept_o2.noun:은}|{kept_o2.noun:이}] {name_c2:이} {kept_o2.verb:었다}.
        [{friend_c:이}|{friend_c:은}] {kept.verb:은} {kept.noun:을} 나도 좋아한다.
            / 이 [{kept_c2.noun:은}|{kept_c2.noun:이}] 내가 {kept_c2.verb:었다}.
        [{friend_o:이}|{friend_o:은}] {kept.verb:은} {kept.noun:을} 나도 좋아한다.
            / 이 [{kept_o2.noun:은}|{kept_o2.noun:이}] 내가 {kept_o2.verb:었다}.
        # the subject of a clause of time takes 이/가; what is set against something else 은/는
        [{name_c:이}|{name_c:은}] {city}에 도착했을 때 나는 자고 있었다.
            / 나는 [{thing_c:은}|{thing_c:이}] 샀지만 모자는 못 샀다.
        [{name_o:이}|{name_o:은}] {city}에 도착했을 때 나는 자고 있었다.
            / 나는 [{thing_o:은}|{thing_o:이}] 샀지만 모자는 못 샀다.
        # a subject with a question word takes 이/가
        이 중에서 어느 [{thing_c:이}|{thing_c:은}] 가장 비싸요?
            / 저는 [{fruit_c:은}|{fruit_c:이}] 먹지만 다른 과일은 안 먹어요.
        이 중에서 어느 [{thing_o:이}|{thing_o:은}] 가장 비싸요?
            / 저는 [{fruit_o:은}|{fruit_o:이}] 먹지만 다른 과일은 안 먹어요.
    """,
    "feeling_predicate": """
        # what one feels about is the subject of 좋다 and the like, the object of 좋아하다
        나는 [{liked:이}|{liked:을}] 좋다. / 나는 [{liked:을}|{liked:이}] 좋아한다.
        나는 [{liked:이}|{liked:을}] 싫다. / 나는 [{liked:을}|{liked:이}] 싫어한다.
        나는 [{missed:이}|{missed:을}] 그립다.
            / 나는 [{missed:을}|{missed:이}] 그리워한다.
        나는 [{feared:이}|{feared:을}] 무섭다.
            / 나는 [{feared:을}|{feared:이}] 무서워한다.
        나는 그 사람의 [{envied:이}|{envied:을}] 부럽다.
            / 나는 그 사람의 [{envied:을}|{envied:이}] 부러워한다.
        # what is needed is a subject, what is looked for an object
        나는 지금 [{needed:이}|{needed:을}] 필요하다.
            / 나는 지금 [{needed:을}|{needed:이}] 찾는다.
        # one knows only one's own feeling: of others it is 싶어 한다, 좋아한다, 무서워한다
        나는 {act.object:을} {act.verb:고} [싶다|싶어 한다].
            / {name:은} {act.object:을} {act.verb:고} [싶어 한다|싶다].
        나는 {liked:이} [좋다|좋아한다]. / {name:은} {liked:을} [좋아한다|좋다].
        나는 {feared:이} [무섭다|무서워한다].
            / {name:은} {feared:을} [무서워한다|무섭다].
        나는 {missed:이} [그립다|그리워한다].
            / {name:은} {missed:을} [그리워한다|그립다].
    """,
}
