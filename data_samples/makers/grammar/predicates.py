"""Rules about verbs and adjectives: their forms and endings, negation, tense, aspect, voice."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    # Two verbs whose forms are told apart by their class: 걸었 (walked), 걷었 (rolled up). Neither
    # goes with the words of the other: 낙엽을 썼다 is "used leaves", 밭을 갔다 "went to the field".
    "class": table(
        "a x b y",
        """공원을, 걸었, 소매를, 걷었; 숲길을, 걸었, 바짓단을, 걷었;
        길을, 물었, 김칫독을 땅에, 묻었;
        이유를, 물었, 보물을 땅속에, 묻었; 빵을, 구웠, 할머니의 허리가, 굽었;
        생선을, 구웠, 굵은 철사가, 굽었; 산꼭대기에, 이르렀, 동생의 잘못을 어머니께, 일렀;
        집을, 지었, 개가 크게, 짖었; 밥을, 지었, 강아지가 자꾸, 짖었;
        컵에 물을, 부었, 벽에 껌이, 붙었;
        목이, 말랐, 밥을 국에, 말았; 잔치를, 치렀, 피아노를, 쳤; 칼을, 갈았, 학교에, 갔;
        콩을 맷돌에, 갈았, 시장에, 갔;
        바람이 세게, 불었, 그릇에 기름을, 부었; 컵에 우유를, 따랐, 나무에서 사과를, 땄;
        강아지를, 길렀, 우물에서 물을, 길었; 노래를, 불렀, 바람이 세게, 불었;
        짐을, 날랐, 새가 하늘을, 날았;
        벽돌을, 날랐, 나비가 꽃밭을, 날았; 날씨가, 더웠, 이불을, 덮었; 교실이, 더웠, 책을, 덮었;
        젓가락으로 콩을, 집었, 시를, 지었; 방이, 추웠, 춤을, 췄; 고추가, 매웠, 넥타이를, 맸;
        문제가, 쉬웠, 집에서 푹, 쉬었; 친구를, 도왔, 운동장을 두 바퀴, 돌았;
        짐을 차에, 실었, 그 농담이, 싫었;
        점과 점을, 이었, 혼자 집에, 있었; 종이를, 잘랐, 낮잠을, 잤;
        머리를, 잘랐, 아기가 푹, 잤;
        초인종을, 눌렀, 침대에, 누웠; 찌개가, 싱거웠, 마당에 나무를, 심었;
        국을, 저었, 옷이 비에, 젖었;
        커피를, 저었, 신발이 물에, 젖었""",
    ),
    "mild": verbs(
        "춥다, 덥다, 바쁘다, 힘들다, 피곤하다, 배고프다, 졸리다, 심심하다, 아프다, 외롭다"
    ),
    "forbidden": verbs(
        """떠들다, 뛰다, 사진을 찍다, 담배를 피우다, 큰 소리로 웃다, 문을 열다, 쓰레기를 버리다,
        돌을 던지다, 노래를 부르다, 울다, 거짓말을 하다, 늦다, 싸우다, 꽃을 꺾다, 전화를 하다""",
    ),
    # In which no form is another word, as 자다 is "to sleep".
    "rather": words(
        """연필, 공책, 지우개, 열쇠, 사진, 우표, 동전, 컵, 가위, 볼펜, 수첩, 줄자, 편지, 풀, 칼,
        달력, 손수건, 안경, 물통, 사탕"""
    ),
    # The future counted from today only, as in the lexicon.
    "turned": table(
        "was will",
        "어제, 내일; 지난주에, 내일 저녁에; 지난달에, 모레 아침에; 그제, 모레; 작년에, 내년에",
    ),
    "state": table(
        "place noun passive active",
        """벽에, 그림, 걸려, 걸고; 책상에, 책, 놓여, 놓고; 바닥에, 종이, 깔려, 깔고;
        상자에, 과자, 담겨, 담고; 칠판에, 글씨, 쓰여, 쓰고; 옷에, 이름표, 달려, 달고;
        마당에, 나무, 심겨, 심고; 창고에, 쌀, 쌓여, 쌓고; 봉투에, 주소, 적혀, 적고;
        흙 속에, 보물, 묻혀, 묻고; 문에, 방울, 달려, 달고; 탁자에, 꽃병, 놓여, 놓고""",
    ),
    "span": words("한 시간, 두 시간, 삼십 분, 세 시간, 이십 분, 네 시간, 사십 분, 다섯 시간"),
    "lasting": verbs(
        """기다리다, 길을 헤매다, 고통을 참다, 추위를 견디다, 고민하다,
        자리를 지키다, 강가를 거닐다,
        버스를 기다리다, 산속을 헤매다, 더위를 견디다"""
    ),
    "achieved": verbs(
        """정상에 도착하다, 집에 돌아오다, 잠에서 깨다, 열쇠를 찾아내다, 정답을 알아내다,
        결론에 도달하다, 그 자리에 나타나다, 길을 찾아내다, 정신을 차리다""",
    ),
    "event": table(
        "s v",
        """버스, 오다; 수업, 끝나다; 기차, 떠나다; 친구, 도착하다; 꽃, 피다; 회의, 시작되다;
        소포, 도착하다; 비, 그치다; 해, 지다; 물, 끓다; 아기, 깨다; 방학, 시작되다; 손님, 오다;
        공연, 끝나다; 편지, 도착하다; 눈, 그치다; 배, 떠나다""",
    ),
    # Nobody suffers these passives (길을 막히다), none is a causative too (짐을 실리다).
    "voice": table(
        "n vact vpas",
        """문, 닫다, 닫히다; 창문, 열다, 열리다; 문제, 풀다, 풀리다; 물감, 섞다, 섞이다;
        구멍, 막다, 막히다; 돈, 모으다, 모이다; 책, 팔다, 팔리다;
        책, 쌓다, 쌓이다; 순서, 바꾸다, 바뀌다;
        못, 박다, 박히다; 이름, 바꾸다, 바뀌다; 방문, 잠그다, 잠기다; 돌, 쌓다, 쌓이다;
        물건, 나누다, 나뉘다; 빵, 팔다, 팔리다; 낙엽, 모으다, 모이다""",
    ),
    # Not 옷이 말리다, to roll up, nor 종이를 타다, to be given paper.
    "melting": table(
        "n vbase vcause",
        """물, 끓다, 끓이다; 얼음, 녹다, 녹이다; 신발, 마르다, 말리다; 차, 서다, 세우다;
        고기, 익다, 익히다; 물, 얼다, 얼리다; 고기, 타다, 태우다; 밥, 남다, 남기다;
        불, 붙다, 붙이다; 국, 끓다, 끓이다; 눈, 녹다, 녹이다; 빨래, 마르다, 말리다;
        감자, 익다, 익히다; 버스, 서다, 세우다; 돈, 남다, 남기다; 낙엽, 타다, 태우다""",
    ),
    # Not 다리를 물리다, to be bitten in the leg, nor 아기를 업히다, a causative.
    "caught": table(
        "s by vpas vact",
        """도둑, 경찰, 잡히다, 잡다; 쥐, 고양이, 잡히다, 잡다; 토끼, 사냥꾼, 쫓기다, 쫓다;
        참새, 매, 잡히다, 잡다; 범인, 형사, 쫓기다, 쫓다; 노루, 늑대, 쫓기다, 쫓다;
        개구리, 뱀, 먹히다, 먹다; 물고기, 곰, 잡히다, 잡다; 파리, 거미, 먹히다, 먹다""",
    ),
}

PHENOMENA = {
    "irregular_form": """
        # verbs of different classes: 걸었 comes from 걷다 (to walk), 걷었 from 걷다 (to roll up)
        어제 {class.a} [{class.x}다|{class.y}다].
            / 어제 {class.b} [{class.y}다|{class.x}다].
        방금 {class.a} [{class.x}어요|{class.y}어요].
            / 방금 {class.b} [{class.y}어요|{class.x}어요].
        아까 {class.a} [{class.x}습니다|{class.y}습니다].
            / 아까 {class.b} [{class.y}습니다|{class.x}습니다].
        지난주에는 {class.a} [{class.x}지만|{class.y}지만] 이번 주에는 아니다.
            / 지난주에는 {class.b} [{class.y}지만|{class.x}지만] 이번 주에는 아니다.
    """,
    "negation": """
        # a noun is denied with 아니다, a verb or adjective after -지 with 않다
        나는 {job:이} [아니다|않다]. / 나는 별로 {mild:지} [않다|아니다].
        저는 {job:이} [아닙니다|않습니다].
            / 저는 지금 {mild:지} [않습니다|아닙니다].
        이것은 {thing:이} [아니에요|않아요].
            / 그 {trait.noun:은} {trait.v:지} [않아요|아니에요].
        그것은 {thing:이} [아니고|않고] {rather:이다}.
            / {name:은} {act.object:을} {act.verb:지} [않고|아니고] 집에 왔다.
        그 사람은 {job:이} [아니었다|않았다].
            / {name:은} {act.object:을} {act.verb:지} [않았다|아니었다].
        # what is forbidden takes -지 말다, a statement -지 않다
        제발 {forbidden:지} [마세요|않아요].
            / {name:은} 원래 {forbidden:지} [않아요|마세요].
        {name:아}, 제발 {forbidden:지} [마|않아].
            / {name:은} 원래 {forbidden:지} [않아|마].
        여러분, 제발 {forbidden:지} [마십시오|않습니다].
            / {name:은} 원래 {forbidden:지} [않습니다|마십시오].
    """,
    "tense": """
        # the past goes with -았-, the future with -(으)ㄹ 것이다 and -겠-
        {turned.was} {name:은} {act.object:을} [{act.verb:었다}|{act.verb:을 것이다}].
            / {turned.will} {name:은} {act.object:을} [{act.verb:을 것이다}|{act.verb:었다}].
        [{turned.was}|{turned.will}] {name:은} {act.object:을} {act.verb:었다}.
            / [{turned.will}|{turned.was}] {name:은} {act.object:을} {act.verb:을} 것이다.
        나는 {turned.was} {act.object:을} [{act.verb:었다}|{act.verb:겠다}].
            / 나는 {turned.will} {act.object:을} [{act.verb:겠다}|{act.verb:었다}].
        # before 뒤에 stands -(으)ㄴ, before 전에 -기, before 도중에 -는
        {act.object:을} [{act.verb:은}|{act.verb:기}] 뒤에 {name:은} 집으로 돌아갔다.
            / {act.object:을} [{act.verb:기}|{act.verb:은}] 전에 {name:은} 집으로 돌아갔다.
        {name:이} {act.object:을} [{act.verb:는}|{act.verb:은}] 도중에 나는 나갔다.
            / {name:이} {act.object:을} [{act.verb:은}|{act.verb:는}] 뒤에 나는 나갔다.
        # -(으)ㄴ 적이 있다, -(으)ㄹ 예정이다
        나는 {city}에서 {memory.noun:을} [{memory.verb:은}|{memory.verb:을}] 적이 있다.
            / 나는 {city}에서 {memory.noun:을} [{memory.verb:을}|{memory.verb:은}] 예정이다.
    """,
    "aspect": """
        # who does something to an object is -고 있다;
        # the state that is left is the passive with -아 있다
        {state.place} {state.noun:이} [{state.passive}|{state.active}] 있다.
            / {name:이} {state.place} {state.noun:을} [{state.active}|{state.passive}] 있다.
        {state.place} {state.noun:이} [{state.passive}|{state.active}] 있었다.
            / {name:이} {state.place} {state.noun:을} [{state.active}|{state.passive}] 있었다.
        # 만에 goes with what happens at once, 동안 with what lasts
        {name:은} {span} [만에|동안] {achieved:었다}.
            / {name:은} {span} [동안|만에] 내내 {lasting:었다}.
        우리는 거의 {span} [만에|동안] {achieved:었다}.
            / 우리는 거의 {span} [동안|만에] 내내 {lasting:었다}.
        # 아직 goes with what has not happened, 벌써 with what has
        {event.s:이} [아직|벌써] {event.v:지} 않았다.
            / {event.s:이} [벌써|아직] {event.v:었다}.
        [아직|벌써] {event.s:이} {event.v:지} 않았어요.
            / [벌써|아직] {event.s:이} {event.v:었어요}.
        # before 중이다 stands -는, before 지 -(으)ㄴ
        {name:은} {act.object:을} [{act.verb:는}|{act.verb:은}] 중이다.
            / {name:이} {act.object:을} [{act.verb:은}|{act.verb:는}] 지 한 달이 되었다.
    """,
    "sentence_ending": """
        # in the present a verb takes -는다, an adjective -다
        {trait.noun:이} 아주 [{trait.v:다}|{trait.v:는다}].
            / {name:은} 날마다 {act.object:을} [{act.verb:는다}|{act.verb:다}].
        # in the exclamation a verb takes -는구나, an adjective -구나
        {trait.noun:이} 참 [{trait.v:구나}|{trait.v:는구나}]!
            / {name:이} {act.object:을} 잘 [{act.verb:는구나}|{act.verb:구나}]!
        # -는데, -는가 and -는지 after a verb, -(으)ㄴ데, -(으)ㄴ가 and -(으)ㄴ지 after an adjective
        {trait.noun:은} [{trait.v:은데}|{trait.v:는데}] 왜 묻니?
            / {name:은} {act.object:을} [{act.verb:는데}|{act.verb:은데}] 나는 쉬고 있다.
        그 {trait.noun:은} 얼마나 [{trait.v:은가}|{trait.v:는가}]?
            / {name:은} 왜 {act.object:을} [{act.verb:는가}|{act.verb:은가}]?
        {trait.noun:이} 얼마나 [{trait.v:은지}|{trait.v:는지}] 모른다.
            / {name:이} 왜 {act.object:을} [{act.verb:는지}|{act.verb:은지}] 모른다.
        # a proposal includes the speaker, an order does not
        우리 같이 {act.object:을} [{act.verb:자}|{act.verb:어라}].
            / 너 혼자 {act.object:을} [{act.verb:어라}|{act.verb:자}].
    """,
    "voice": """
        # who acts on an object takes the active verb, what the act befalls the passive one
        {name:이} {voice.n:을} [{voice.vact:었다}|{voice.vpas:었다}].
            / 결국 {voice.n:이} [{voice.vpas:었다}|{voice.vact:었다}].
        {voice.n:을} [{voice.vact:은}|{voice.vpas:은}] 것은 {name:이다}.
            / {voice.n:이} [{voice.vpas:은}|{voice.vact:은}] 것은 어제였다.
        {caught.by:이} {caught.s:을} [{caught.vact:었다}|{caught.vpas:었다}].
            / {caught.s:이} {caught.by}에게 [{caught.vpas:었다}|{caught.vact:었다}].
        # who makes it happen takes the causative verb, what it happens to the plain one
        {name:이} {melting.n:을} [{melting.vcause:었다}|{melting.vbase:었다}].
            / 벌써 {melting.n:이} [{melting.vbase:었다}|{melting.vcause:었다}].
        {melting.n:을} [{melting.vcause:은}|{melting.vbase:은}] 것은 {name:이다}.
            / {melting.n:이} [{melting.vbase:은}|{melting.vcause:은}] 것은 어제였다.
    """,
}
