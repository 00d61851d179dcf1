"""Rules about honorifics and politeness, counting, polarity and the order of words."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "noble": verbs(
        """신문을 읽다, 편지를 쓰다, 음악을 듣다, 산에 가다, 집에 오다, 꽃을 심다, 버스를 기다리다,
        영화를 보다, 문을 닫다, 의자에 앉다, 손을 흔들다, 외투를 입다, 아이들을 부르다, 크게 웃다,
        노래를 부르다, 약을 찾다, 선물을 받다, 전화를 걸다, 일찍 일어나다, 시장에 다녀오다""",
    ),
    "goods": words("커피, 주스, 녹차, 국수, 김밥, 빵, 음식, 물건, 책, 모자, 영수증, 음료"),
    "counted": table(
        "noun unit wrong",
        """연필, 자루, 마리; 볼펜, 자루, 그루; 책, 권, 대; 공책, 권, 마리; 종이, 장, 대;
        우표, 장, 잔; 장미, 송이, 대; 국화, 송이, 권; 운동화, 켤레, 장; 구두, 켤레, 자루;
        양말, 켤레, 권; 옷, 벌, 그루; 양복, 벌, 송이; 맥주, 병, 채; 커피, 잔, 켤레;
        자전거, 대, 마리; 컴퓨터, 대, 송이; 닭, 마리, 권; 고등어, 마리, 장; 오징어, 마리, 대;
        소설책, 권, 벌; 냉장고, 대, 자루; 사진, 장, 켤레; 칼, 자루, 마리; 사과, 개, 명;
        우산, 개, 마리""",
    ),
    "seen": table(
        "noun unit wrong place",
        """학생, 명, 마리, 교실; 아이, 명, 권, 놀이터; 군인, 명, 대, 역; 소, 마리, 명, 들판;
        강아지, 마리, 자루, 마당; 고양이, 마리, 장, 골목; 토끼, 마리, 그루, 산;
        차, 대, 마리, 주차장; 버스, 대, 명, 정류장; 소나무, 그루, 마리, 언덕;
        사과나무, 그루, 명, 마당; 초가집, 채, 마리, 마을; 기와집, 채, 자루, 골목; 배, 척, 권, 바다;
        비행기, 대, 그루, 공항; 손님, 분, 마리, 식당; 어르신, 분, 대, 공원;
        새, 마리, 켤레, 나무""",
    ),
    "number": table(
        "native sino",
        """두, 이; 세, 삼; 네, 사; 다섯, 오; 여섯, 육; 일곱, 칠; 여덟, 팔; 아홉, 구; 열, 십;
        열한, 십일; 열두, 십이""",
    ),
    "minutes": table(
        "native sino",
        """다섯, 오; 열, 십; 열다섯, 십오; 스무, 이십; 서른, 삼십; 마흔, 사십; 쉰, 오십;
        스물다섯, 이십오""",
    ),
    "day_hour": words("두, 세, 네, 다섯, 여섯, 일곱, 여덟, 아홉, 열, 열한, 열두"),
    "thousands": table(
        "native sino",
        """두천, 이천; 세천, 삼천; 네천, 사천; 다섯천, 오천; 여섯천, 육천; 일곱천, 칠천;
        여덟천, 팔천; 아홉천, 구천; 두만, 이만; 세만, 삼만; 네만, 사만; 다섯만, 오만""",
    ),
    "meeting": words("회의, 수업, 공연, 영화, 잔치, 경기, 연극, 방송, 강연, 행사"),
    "buyable": words("사과, 배, 달걀, 빵, 감자, 양파, 귤, 만두, 호박, 인형, 접시, 전구"),
    "done": verbs(
        """책을 읽다, 산에 오르다, 편지를 쓰다, 문을 두드리다, 전화를 걸다, 그 영화를 보다,
        시험을 보다, 이름을 부르다, 종을 치다, 연습하다""",
    ),
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
    "crowd": words("교실, 공원, 도서관, 식당, 사무실, 운동장, 가게, 마당, 극장, 역, 골목, 방"),
    "left_over": table(
        "place thing",
        """지갑, 동전; 냉장고, 물; 서랍, 연필; 방, 의자; 가방, 공책; 창고, 쌀; 상자, 사탕;
        마당, 소나무; 교실, 책상; 주머니, 열쇠; 식탁, 빵; 마을, 가게; 부엌, 냄비; 책장, 소설""",
    ),
    "vow": verbs(
        """약속을 지키다, 비밀을 지키다, 그 사람을 만나다, 그 집을 팔다, 이 길을 떠나다,
        학교를 그만두다, 그 일을 돕다, 이 자리를 옮기다, 그 편지를 읽다, 그 말을 믿다, 그곳에 가다,
        친구를 기다리다""",
    ),
    "known": words("사실, 소식, 비밀, 이유, 방법, 주소, 정답, 규칙, 뜻, 결과, 사정, 이름"),
    "surname": words("김, 이, 박, 최, 정, 강, 조, 윤, 장, 임, 한, 오, 서, 신, 권, 황"),
    "title": words("선생님, 교수님, 사장님, 과장님, 부장님, 기자님, 박사님, 감독님"),
    "call": words("얘들아, 영수야, 지민아, 꼬마야, 친구야, 아가야, 민지야"),
}

PHENOMENA = {
    "honorific_agreement": """
        # a subject with 께서 takes a verb with -(으)시-
        {elder}께서 [{noble:으셨다}|{noble:었다}].
        어제 {elder}께서 [{noble:으셨습니다}|{noble:었습니다}].
        # a child or a younger person takes none
        {young:이} [{noble:었다}|{noble:으셨다}].
        [{young:이}|{young}께서] {noble:었다}.
        # nobody honours himself
        저는 어제 [{noble:었습니다}|{noble:으셨습니다}].
        # things are not honoured
        손님, 주문하신 {drink:이} [나왔습니다|나오셨습니다].
        손님, 찾으시던 {goods:이} 여기 [있습니다|계십니다].
    """,
    "honorific_word": """
        # 연세, 생신, 말씀 and 댁 are an elder's, not a child's
        {young:은} 아직 [나이가|연세가] 어리다.
        {young}의 [생일|생신]에 {gift:을} 주었다.
        나는 {young}의 [말을|말씀을] 믿지 않았다.
        나는 {young}의 [집에|댁에] 놀러 갔다.
        # verbs that honour the subject: 드시다, 주무시다, 계시다, 돌아가시다
        {elder}께서 점심을 [드셨다|먹었다].
        {elder}께서 방에서 [주무신다|잔다].
        {elder}께서는 지금 {city}에 [계신다|있다].
        {elder}께서 작년에 [돌아가셨다|죽으셨다].
        {young:이} 방에서 [잔다|주무신다].
        {young:은} 지금 {city}에 [있습니다|계십니다].
        {young:이} 점심을 [먹었다|드셨다].
        # verbs and particles that honour whom the act is for: 드리다, 말씀드리다, 모시다, 뵙다
        나는 {elder}께 {gift:을} [드렸다|줬다].
        나는 {elder:을} [모시고|데리고] {city}에 갔다.
        나는 {elder}께 그 소식을 [말씀드렸다|말해 줬다].
        나는 {young}에게 {gift:을} [줬다|드렸다].
        나는 {young:을} [데리고|모시고] {city}에 갔다.
        나는 {young:을} [만나러|뵈러] {city}에 갔다.
    """,
    "counter": """
        # things are counted with the word for their kind: 권, 자루, 켤레, 송이
        {name:은} {counted.noun} {native} [{counted.unit:을}|{counted.wrong:을}] 샀다.
        가게에 {counted.noun} {native} [{counted.unit:이}|{counted.wrong:이}] 있다.
        {friend:이} {counted.noun} {native} [{counted.unit:을}|{counted.wrong:을}] 가져왔다.
        # persons with 명 or 분, animals with 마리, cars with 대, trees with 그루
        {seen.place}에 {seen.noun} {native} [{seen.unit:이}|{seen.wrong:이}] 있다.
        {seen.place}에서 {seen.noun} {native} [{seen.unit:을}|{seen.wrong:을}] 보았다.
        어제 {seen.place}에 {seen.noun} {native} [{seen.unit}|{seen.wrong}] 정도가 있었다.
    """,
    "numeral": """
        # hours, ages and pieces are counted with native numerals
        {meeting:은} [{number.native}|{number.sino}] 시에 시작한다.
        {name:은} [{number.native}|{number.sino}] 시간 동안 기다렸다.
        {friend:은} 시장에서 {buyable:을} [{number.native}|{number.sino}] 개 샀다.
        {name:은} [{number.native}|{number.sino}] 번이나 {done:었다}.
        {name}의 조카는 올해 [{number.native}|{number.sino}] 살이다.
        # minutes, floors, years and money with Sino-Korean ones
        기차는 {day_hour} 시 [{minutes.sino}|{minutes.native}] 분에 떠난다.
        {friend:은} 이 건물 [{number.sino}|{number.native}] 층에 산다.
        {name:은} {city}에서 [{number.sino}|{number.native}] 년 동안 살았다.
        {buyable} 값은 [{thousands.sino}|{thousands.native}] 원이다.
        버스로 [{minutes.sino}|{minutes.native}] 분쯤 걸린다.
    """,
    "politeness": """
        # 저 goes with polite endings, 나 and a call with 아/야 with plain ones
        {elder}, 제가 {did.object:을} [{did.verb:었습니다}|{did.verb:었다}].
        {elder}, 제가 내일 {did.object:을} [{did.verb:을게요}|{did.verb:을게}].
        {name:아}, 내가 {did.object:을} [{did.verb:었어}|{did.verb:었습니다}].
        {name:아}, 우리 {did.object:을} [{did.verb:자}|{did.verb:읍시다}].
        {call}, 내가 {did.object:을} [{did.verb:을게}|{did.verb:겠습니다}].
        여러분, 이제 {did.object:을} [{did.verb:읍시다}|{did.verb:자}].
        # the level stays the same from sentence to sentence
        저는 {did.object:을} {did.verb:었습니다}. {then.o}도 [{then.v:었습니다}|{then.v:었다}].
        {name:은} {did.object:을} {did.verb:었다}. {then.o}도 [{then.v:었다}|{then.v:었습니다}].
        # an elder is asked politely, a friend plainly
        {elder}, 언제 {city}에 [오세요|오니]?
        {name:아}, 언제 {city}에 [오니|오세요]?
    """,
    "polarity": """
        # 아무도, 전혀, 조금도, 하나도 stand with what is denied
        {crowd}에 아무도 [없었다|있었다].
        {crowd}에 [누군가|아무도] 있었다.
        {name:은} 그 {known:을} 전혀 [몰랐다|알았다].
        {name:은} 그 {known:을} 조금도 [몰랐다|알았다].
        {left_over.place}에 {left_over.thing:이} 하나도 [없다|있다].
        # 별로 and 그다지 weaken what is denied
        {trait.noun:은} [아주|별로] {trait.v:다}.
        {trait.noun:은} [상당히|그다지] {trait.v:다}.
        {trait.noun:은} 별로 [{trait.v:지} 않다|{trait.v:다}].
        # 결코 and 도저히 deny
        나는 [반드시|결코] {vow:겠다}.
        나는 [꼭|결코] {vow:겠다}.
        나는 결코 [{vow:지 않겠다}|{vow:겠다}].
        나는 도저히 {vow:을} 수 [없다|있다].
        # 밖에 stands with what is denied, 만 with either
        {left_over.place}에 {left_over.thing}밖에 [없다|있다].
        {left_over.place}에 {left_over.thing}[만|밖에] 있다.
    """,
    "word_order": """
        # what modifies a noun stands before it
        {name:은} 가게에서 [새 {thing:을}|{thing:을} 새] 샀다.
        나는 [{name}의 {small:을}|{small:을} {name}의] 빌렸다.
        어제 [{memory.verb:은} {memory.noun:을}|{memory.noun:을} {memory.verb:은}] 기억한다.
        {name:은} [아주 {trait.v:은}|{trait.v:은} 아주] {trait.noun:을} 기억한다.
        # the number stands between the noun and its counter
        {name:은} {counted.noun} [{native} {counted.unit:을}|{counted.unit:을} {native}] 샀다.
        # the auxiliary follows its verb
        {name:은} {act.object:을} [{act.verb:지} 않았다|않았다 {act.verb:지}].
        {name:은} {act.object:을} [{act.verb:을} 수 있다|수 {act.verb:을} 있다].
        나는 {act.object:을} [{act.verb:고} 싶다|싶다 {act.verb:고}].
        # a title follows the name
        [{surname} {title:이}|{title:이} {surname}] 내일 {city}에 오신다.
    """,
}
