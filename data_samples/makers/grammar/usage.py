"""Rules about honorifics and politeness, counting, polarity and the order of words."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "noble": verbs(
        """신문을 읽다, 편지를 쓰다, 음악을 듣다, 산에 가다, 집에 오다, 꽃을 심다, 버스를 기다리다,
        영화를 보다, 문을 닫다, 의자에 앉다, 손을 흔들다, 외투를 입다, 아이들을 부르다, 크게 웃다,
        노래를 부르다, 약을 찾다, 선물을 받다, 전화를 걸다, 일찍 일어나다, 시장에 다녀오다""",
    ),
    "buyable": words("사과, 배, 달걀, 빵, 감자, 양파, 귤, 만두, 호박, 인형, 접시, 전구"),
    "did": table(
        "object verb",
        """책, 읽다; 편지, 쓰다; 밥, 먹다; 그림, 그리다; 창문, 닫다; 표, 사다; 사진, 찍다;
        빵, 만들다; 방, 치우다; 숙제, 하다; 꽃, 심다; 의자, 고치다; 자료, 찾다; 전화, 받다;
        짐, 옮기다; 우유, 마시다; 옷, 고르다; 소식, 듣다""",
    ),
    "then": table(
        "o v",
        """산책, 하다; 텔레비전, 보다; 설거지, 하다; 커피, 마시다; 일기, 쓰다; 음악, 듣다;
        친구, 만나다; 청소, 하다; 버스, 타다; 신문, 읽다""",
    ),
    "vow": verbs(
        """약속을 지키다, 비밀을 지키다, 그 사람을 만나다, 그 집을 팔다, 이 길을 떠나다,
        학교를 그만두다, 그 일을 돕다, 이 자리를 옮기다, 그 편지를 읽다, 그 말을 믿다, 그곳에 가다,
        친구를 기다리다""",
    ),
    "known": words("사실, 소식, 비밀, 이유, 방법, 주소, 정답, 규칙, 뜻, 결과, 사정, 이름"),
    "call": words("얘들아, 영수야, 지민아, 꼬마야, 친구야, 아가야, 민지야"),
    # Two kinds of things with the counter of each.
    "kinds": table(
        "a ua b ub",
        """연필, 자루, 고양이, 마리; 볼펜, 자루, 장미, 송이; 책, 권, 자동차, 대;
        공책, 권, 양말, 켤레;
        종이, 장, 커피, 잔; 우표, 장, 운동화, 켤레; 국화, 송이, 소설책, 권; 구두, 켤레, 사진, 장;
        양복, 벌, 맥주, 병; 자전거, 대, 토끼, 마리; 닭, 마리, 그림책, 권; 녹차, 잔, 부채, 자루;
        소나무, 그루, 학생, 명; 강아지, 마리, 배, 척; 기와집, 채, 비행기, 대; 소주, 병, 만화책, 권;
        사과나무, 그루, 트럭, 대; 장갑, 켤레, 튤립, 송이; 돼지, 마리, 외투, 벌;
        엽서, 장, 오리, 마리""",
    ),
    "hour": table(
        "native sino",
        """두, 이; 세, 삼; 네, 사; 다섯, 오; 여섯, 육; 일곱, 칠; 여덟, 팔;
        아홉, 구; 열, 십; 열한, 십일;
        열두, 십이""",
    ),
    # Without 네: 네 학년 is "your grade" too.
    "grade": table("native sino", "두, 이; 세, 삼; 한, 일; 다섯, 오; 여섯, 육"),
    "begins": words("회의, 수업, 공연, 영화, 경기, 연극, 방송, 강연, 행사"),
    "bag": table(
        "place thing",
        """지갑, 돈; 냉장고, 물; 서랍, 실; 통장, 돈; 창고, 쌀; 부엌, 소금; 주전자, 물; 마당, 눈;
        방, 먼지; 항아리, 술; 접시, 빵; 화분, 흙; 컵, 우유; 자루, 밀가루""",
    ),
    # Not 새가 나는: it is "I" too.
    "moving": table(
        "s v",
        """꽃, 피다; 물, 흐르다; 새, 울다; 해, 뜨다; 눈, 내리다; 연기, 피어오르다;
        아이들, 놀다; 기차, 지나가다;
        배, 떠나다; 나무, 자라다; 사람들, 쉬다; 강, 흐르다; 별, 빛나다; 말, 달리다""",
    ),
    "crowd": words("교실, 공원, 도서관, 식당, 사무실, 운동장, 가게, 극장, 역, 골목"),
    "animal": words("강아지, 고양이, 토끼, 송아지, 염소, 오리, 닭, 거위"),
}

PHENOMENA = {
    "honorific_agreement": """
        # a subject with 께서 takes a verb with -(으)시-, a child or an animal takes none
        {elder}께서 [{noble:으셨다}|{noble:었다}].
            / {young:이} [{noble:었다}|{noble:으셨다}].
        어제 {elder}께서는 [{noble:으셨습니다}|{noble:었습니다}].
            / 어제 {young:은} [{noble:었습니다}|{noble:으셨습니다}].
        {elder}께서 언제 [{noble:으셨어요}|{noble:었어요}]?
            / 제가 아까 [{noble:었어요}|{noble:으셨어요}].
        # nobody honours himself
        {elder}께서는 곧 [{noble:으실}|{noble:을}] 것이다.
            / 나는 곧 [{noble:을}|{noble:으실}] 것이다.
        # things are not honoured
        손님께서 지금 [나오셨습니다|나왔습니다].
            / {drink:이} 지금 [나왔습니다|나오셨습니다].
        {elder}께서 저기 [계십니다|있습니다].
            / {thing:이} 저기 [있습니다|계십니다].
    """,
    "honorific_word": """
        # verbs that honour the subject: 드시다, 주무시다, 계시다, 돌아가시다
        {elder}께서 {fruit:을} [드셨다|먹었다].
            / {young:이} {fruit:을} [먹었다|드셨다].
        {elder}께서 방에서 [주무신다|잔다].
            / {animal:이} 방에서 [잔다|주무신다].
        {elder}께서 거실에 [계신다|있다]. / {thing:이} 거실에 [있다|계신다].
        {elder}께서 작년에 [돌아가셨다|죽었다].
            / {animal:이} 작년에 [죽었다|돌아가셨다].
        # verbs that honour whom the act is for: 드리다, 말씀드리다, 모시다, 여쭙다
        나는 {elder}께 {gift:을} [드렸다|줬다].
            / 나는 {young}에게 {gift:을} [줬다|드렸다].
        나는 {elder:을} [모시고|데리고] {city}에 갔다.
            / 나는 {young:을} [데리고|모시고] {city}에 갔다.
        나는 {elder}께 그 일을 [말씀드렸다|말했다].
            / 나는 {young}에게 그 일을 [말했다|말씀드렸다].
        나는 {elder}께 길을 [여쭤봤다|물어봤다].
            / 나는 {young}에게 길을 [물어봤다|여쭤봤다].
    """,
    "counter": """
        # things are counted with the word for their kind
        저기 {kinds.a} {native} [{kinds.ua:이}|{kinds.ub:이}] 있다.
            / 저기 {kinds.b} {native} [{kinds.ub:이}|{kinds.ua:이}] 있다.
        그림에서 {kinds.a} {native} [{kinds.ua:을}|{kinds.ub:을}] 보았다.
            / 그림에서 {kinds.b} {native} [{kinds.ub:을}|{kinds.ua:을}] 보았다.
        사진에는 {kinds.a} {native} [{kinds.ua}|{kinds.ub}] 정도가 나온다.
            / 사진에는 {kinds.b} {native} [{kinds.ub}|{kinds.ua}] 정도가 나온다.
        {name:은} {kinds.a} 몇 [{kinds.ua:을}|{kinds.ub:을}] 그렸다.
            / {name:은} {kinds.b} 몇 [{kinds.ub:을}|{kinds.ua:을}] 그렸다.
        {kinds.a}도 한 [{kinds.ua}|{kinds.ub}] 보인다.
            / {kinds.b}도 한 [{kinds.ub}|{kinds.ua}] 보인다.
    """,
    "numeral": """
        # hours, ages and pieces are counted with native numerals;
        # minutes, seconds and years with Sino-Korean ones
        {begins:은} [{hour.native}|{hour.sino}] 시에 시작한다.
            / {begins:은} [{hour.sino}|{hour.native}] 년 만에 열렸다.
        {name:은} [{hour.native}|{hour.sino}] 시간 동안 기다렸다.
            / {name:은} [{hour.sino}|{hour.native}] 분 동안 기다렸다.
        {buyable:을} [{hour.native}|{hour.sino}] 개 샀다.
            / {buyable:을} [{hour.sino}|{hour.native}] 분 전에 샀다.
        {name}의 조카는 올해 [{grade.native}|{grade.sino}] 살이다.
            / {name}의 조카는 올해 [{grade.sino}|{grade.native}] 학년이다.
        {name:은} {city}에 [{hour.native}|{hour.sino}] 번 갔다.
            / {name:은} {city}에 [{hour.sino}|{hour.native}] 년 살았다.
        {buyable:은} [{hour.native}|{hour.sino}] 개 남았다.
            / {buyable:은} [{hour.sino}|{hour.native}] 초 만에 다 팔렸다.
    """,
    "politeness": """
        # 제가 and an elder take polite endings, 내가 and a call with 아/야 plain ones
        {elder}, 제가 {did.object:을} [{did.verb:었습니다}|{did.verb:었어}].
            / {name:아}, 내가 {did.object:을} [{did.verb:었어}|{did.verb:었습니다}].
        {elder}, 제가 {did.object:을} [{did.verb:을게요}|{did.verb:을게}].
            / {name:아}, 내가 {did.object:을} [{did.verb:을게}|{did.verb:을게요}].
        {elder}, 언제 {did.object:을} [{did.verb:으세요}|{did.verb:니}]?
            / {name:아}, 언제 {did.object:을} [{did.verb:니}|{did.verb:으세요}]?
        여러분, 이제 {did.object:을} [{did.verb:읍시다}|{did.verb:자}].
            / {call}, 이제 {did.object:을} [{did.verb:자}|{did.verb:읍시다}].
        # the level stays the same from sentence to sentence
        저는 {did.object:을} {did.verb:었습니다}. {then.o}도 [{then.v:었습니다}|{then.v:었다}].
            / 나는 {did.object:을} {did.verb:었다}. {then.o}도 [{then.v:었다}|{then.v:었습니다}].
        안녕하세요? 저는 {city}에 [살아요|살아].
            / 안녕? 나는 {city}에 [살아|살아요].
    """,
    "polarity": """
        # 아무도, 하나도 and 전혀 stand with what is denied, 가득, 조금 and 이미 with what is so
        {crowd}에 아무도 [없었다|있었다].
            / {crowd}에 사람이 가득 [있었다|없었다].
        {bag.place}에 {bag.thing:이} 하나도 [없다|있다].
            / {bag.place}에 {bag.thing:이} 아직 조금 [있다|없다].
        {name:은} 그 {known:을} 전혀 [모르고|알고] 있었다.
            / {name:은} 그 {known:을} 이미 [알고|모르고] 있었다.
        # 별로 and 그다지 weaken what is denied; 제법 and 꽤 do not stand with a denial
        {trait.noun:은} 별로 [{trait.v:지 않다}|{trait.v:다}].
            / {trait.noun:은} 제법 [{trait.v:다}|{trait.v:지 않다}].
        {trait.noun:은} 그다지 [{trait.v:지 않다}|{trait.v:다}].
            / {trait.noun:은} 꽤 [{trait.v:다}|{trait.v:지 않다}].
        # 결코 and 도저히 deny, 반드시 and 얼마든지 affirm
        나는 결코 [{vow:지 않겠다}|{vow:겠다}].
            / 나는 반드시 [{vow:겠다}|{vow:지 않겠다}].
        나는 도저히 {vow:을} 수 [없다|있다].
            / 나는 얼마든지 {vow:을} 수 [있다|없다].
    """,
    "word_order": """
        # a clause stands before its noun: 책을 읽은 사람, but 읽은 책
        [{memory.noun:을} {memory.verb:은}|{memory.verb:은} {memory.noun:을}] 사람이 많다.
            / 어제 [{memory.verb:은} {memory.noun:을}|{memory.noun:을} {memory.verb:은}] 떠올렸다.
        [{memory.noun:을} {memory.verb:은}|{memory.verb:은} {memory.noun:을}] 날이 생각난다.
            / 나도 [{memory.verb:은} {memory.noun:을}|{memory.noun:을} {memory.verb:은}] 기억한다.
        [{kept.noun:을} {kept.verb:은}|{kept.verb:은} {kept.noun:을}] 사람이 누구니?
            / 지난달에 [{kept.verb:은} {kept.noun:을}|{kept.noun:을} {kept.verb:은}] 보여 주었다.
        [{moving.s:이} {moving.v:는}|{moving.v:는} {moving.s:이}] 곳이다.
            / 저기 [{moving.v:는} {moving.s:이}|{moving.s:이} {moving.v:는}] 보인다.
    """,
}
