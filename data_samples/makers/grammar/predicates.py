"""Rules about verbs and adjectives: their forms and endings, negation, tense, aspect, voice."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "birr": table(
        "s v",
        """날씨, 춥다; 방, 어둡다; 짐, 무겁다; 국, 뜨겁다; 문제, 쉽다; 시험, 어렵다; 고추, 맵다;
        길, 미끄럽다; 강아지, 귀엽다; 물, 차갑다; 가방, 가볍다; 집, 가깝다; 교실, 덥다;
        경치, 아름답다; 이불, 더럽다; 침대, 부드럽다; 시장, 시끄럽다; 국물, 싱겁다""",
    ),
    "breg": table("o v", "종이, 접다; 손, 잡다; 잡초, 뽑다; 옷, 입다; 껌, 씹다; 물고기, 잡다"),
    "dirr": table(
        "o v",
        """길, 걷다; 음악, 듣다; 이유, 묻다; 짐, 싣다; 잘못, 깨닫다; 물, 긷다; 소식, 듣다;
        라디오, 듣다; 공원, 걷다; 이름, 묻다; 강의, 듣다; 상자, 싣다; 진실, 깨닫다""",
    ),
    "dreg": table("o v", "선물, 받다; 국물, 쏟다; 다리, 뻗다; 전화, 받다; 상, 받다; 물, 쏟다"),
    "sirr": table(
        "o v",
        """집, 짓다; 밥, 짓다; 물, 붓다; 선, 긋다; 줄, 잇다; 커피, 젓다; 이름, 짓다; 국, 젓다;
        창고, 짓다; 밑줄, 긋다; 기름, 붓다; 끈, 잇다""",
    ),
    "sreg": table("o v", "옷, 벗다; 손, 씻다; 모자, 벗다; 장갑, 벗다; 그릇, 씻다; 발, 씻다"),
    "hirr": table(
        "s v",
        """하늘, 파랗다; 구름, 하얗다; 은행잎, 노랗다; 머리, 까맣다; 입술, 빨갛다; 안개, 뿌옇다;
        호박, 커다랗다; 달, 둥그렇다; 바다, 파랗다; 눈, 하얗다; 벼, 누렇다; 사과, 빨갛다""",
    ),
    "hreg": table("o v", "편지, 넣다; 가방, 놓다; 물, 넣다; 소금, 넣다; 짐, 놓다; 의자, 놓다"),
    "reu": table(
        "o v",
        """노래, 부르다; 옷, 고르다; 단추, 누르다; 종이, 자르다; 산, 오르다; 길, 모르다;
        고양이, 기르다; 짐, 나르다; 친구, 부르다; 선물, 고르다; 김밥, 자르다; 돼지, 기르다""",
    ),
    "eu": table(
        "s v",
        """마음, 바쁘다; 머리, 아프다; 영화, 슬프다; 배, 고프다; 목소리, 크다; 날씨, 나쁘다;
        꽃, 예쁘다; 다리, 아프다; 기분, 나쁘다; 이야기, 슬프다; 신발, 크다; 일, 바쁘다""",
    ),
    "euo": table(
        "o v", "편지, 쓰다; 불, 끄다; 돈, 모으다; 우표, 모으다; 모자, 쓰다; 일기, 쓰다; 전등, 끄다"
    ),
    "reached": words("목적지, 정상, 결론, 절정, 마을, 국경, 바닷가, 합의, 강가, 산꼭대기"),
    "green": words("산, 들, 숲, 강물, 나뭇잎, 들판, 잔디밭"),
    "lstem": table(
        "o v",
        """빵, 만들다; 문, 열다; 과일, 팔다; 사실, 알다; 전화, 걸다; 밭, 갈다; 먼지, 털다; 돈, 벌다;
        창문, 열다; 의자, 만들다; 옷, 팔다; 길, 알다; 그림, 걸다; 손잡이, 밀다; 빨래, 널다""",
    ),
    "hada": words(
        """공부, 청소, 운동, 요리, 빨래, 연습, 산책, 수영, 식사, 이야기, 질문, 대답, 일, 설거지,
        인사, 준비, 예약, 복습, 세수, 면도, 화장"""
    ),
    "forbidden": verbs(
        """떠들다, 뛰다, 사진을 찍다, 음식을 먹다, 담배를 피우다, 큰 소리로 웃다, 문을 열다, 눕다,
        쓰레기를 버리다, 전화를 받다, 수영을 하다, 공을 차다, 차를 세우다, 꽃을 꺾다, 돌을 던지다,
        노래를 부르다, 불을 피우다, 개를 풀어 놓다, 선을 넘어가다""",
    ),
    "fact": words("사실, 소식, 비밀, 이름, 이유, 방법, 주소, 정답, 전화번호, 길, 노래, 규칙, 뜻"),
    "owned": table(
        "place thing",
        """지갑, 돈; 냉장고, 우유; 가방, 책; 서랍, 열쇠; 방, 침대; 마당, 나무; 교실, 칠판; 창고, 쌀;
        주머니, 동전; 상자, 과자; 책상, 사전; 집, 소금; 부엌, 냄비; 동네, 병원; 마을, 학교""",
    ),
    "turned": table("was will", "어제, 내일; 지난주에, 다음 주에; 지난달에, 다음 달에; 그제, 모레"),
    "state": table(
        "place thing passive active",
        """벽에, 그림이, 걸려, 걸고; 책상에, 책이, 놓여, 놓고; 바닥에, 종이가, 깔려, 깔고;
        상자에, 과자가, 담겨, 담고; 칠판에, 글씨가, 쓰여, 쓰고; 옷에, 이름표가, 달려, 달고;
        마당에, 나무가, 심겨, 심고; 창고에, 쌀이, 쌓여, 쌓고; 봉투에, 주소가, 적혀, 적고;
        흙 속에, 보물이, 묻혀, 묻고; 문에, 종이, 달려, 달고; 탁자에, 꽃병이, 놓여, 놓고""",
    ),
    "span": words("한 시간, 두 시간, 삼십 분, 세 시간, 이십 분, 네 시간, 사십 분, 다섯 시간"),
    "lasting": verbs(
        """기다리다, 길을 헤매다, 고통을 참다, 추위를 견디다, 고민하다, 자리를 지키다,
        강가를 거닐다, 버스를 기다리다, 산속을 헤매다, 더위를 견디다"""
    ),
    "achieved": verbs(
        """정상에 도착하다, 집에 돌아오다, 잠에서 깨다, 열쇠를 찾아내다, 정답을 알아내다,
        결론에 도달하다, 그 자리에 나타나다, 길을 찾아내다, 정신을 차리다, 기차에서 내리다""",
    ),
    "event": table(
        "s v",
        """버스, 오다; 수업, 끝나다; 기차, 떠나다; 친구, 도착하다; 꽃, 피다; 회의, 시작하다;
        소포, 도착하다; 비, 그치다; 해, 지다; 물, 끓다; 아기, 깨다; 방학, 시작되다; 손님, 오다;
        공연, 끝나다; 밥, 되다; 은행, 문을 닫다; 편지, 도착하다; 눈, 그치다; 배, 떠나다""",
    ),
    "voice": table(
        "n vact vpas",
        """문, 닫다, 닫히다; 창문, 열다, 열리다; 신호, 잡다, 잡히다; 전화, 끊다, 끊기다;
        종이, 찢다, 찢기다; 길, 막다, 막히다; 돈, 모으다, 모이다; 책, 팔다, 팔리다;
        책, 쌓다, 쌓이다; 방향, 바꾸다, 바뀌다; 짐, 싣다, 실리다; 줄, 끊다, 끊기다;
        발음, 바꾸다, 바뀌다; 방문, 잠그다, 잠기다; 나뭇가지, 꺾다, 꺾이다; 물건, 나누다, 나뉘다;
        그릇, 쌓다, 쌓이다; 빵, 팔다, 팔리다""",
    ),
    "cause": table(
        "n vbase vcause",
        """아이, 자다, 재우다; 물, 끓다, 끓이다; 얼음, 녹다, 녹이다; 옷, 마르다, 말리다;
        차, 서다, 세우다; 동생, 울다, 울리다; 친구, 웃다, 웃기다; 아이, 앉다, 앉히다;
        고기, 익다, 익히다; 물, 얼다, 얼리다; 비행기, 날다, 날리다; 아기, 깨다, 깨우다;
        동생, 숨다, 숨기다; 나무, 살다, 살리다; 불, 붙다, 붙이다; 손님, 웃다, 웃기다""",
    ),
    "melting": table(
        "n vbase vcause",
        """물, 끓다, 끓이다; 얼음, 녹다, 녹이다; 옷, 마르다, 말리다; 차, 서다, 세우다;
        고기, 익다, 익히다; 물, 얼다, 얼리다; 밥, 타다, 태우다; 밥, 남다, 남기다; 불, 붙다, 붙이다;
        국, 끓다, 끓이다; 눈, 녹다, 녹이다; 빨래, 마르다, 말리다; 감자, 익다, 익히다;
        버스, 서다, 세우다; 돈, 남다, 남기다; 초콜릿, 녹다, 녹이다""",
    ),
    "caught": table(
        "s by vpas vact",
        """도둑, 경찰, 잡히다, 잡다; 쥐, 고양이, 잡히다, 잡다; 토끼, 사냥꾼, 쫓기다, 쫓다;
        아이, 엄마, 안기다, 안다; 범인, 형사, 쫓기다, 쫓다; 아기, 할머니, 업히다, 업다;
        개구리, 뱀, 먹히다, 먹다; 물고기, 곰, 잡히다, 잡다""",
    ),
    "dressed": table(
        "o vcause vbase",
        """밥, 먹이다, 먹다; 약, 먹이다, 먹다; 죽, 먹이다, 먹다; 우유, 먹이다, 먹다;
        옷, 입히다, 입다; 외투, 입히다, 입다; 치마, 입히다, 입다; 양말, 신기다, 신다;
        신발, 신기다, 신다; 모자, 씌우다, 쓰다; 장화, 신기다, 신다; 소식, 알리다, 알다""",
    ),
}

PHENOMENA = {
    "irregular_form": """
        # ㅂ irregular: the ㅂ becomes 우 (오 in 돕다) before a vowel
        {birr.s:이} [{birr.v:어서}|{birr.v:*어서}] 깜짝 놀랐다.
        {birr.s:이} 생각보다 [{birr.v:었다}|{birr.v:*었다}].
        {name:은} 어제 {friend:을} [도왔다|돕았다].
        # ㅂ regular: 입다, 잡다, 접다 keep their ㅂ
        {name:은} {breg.o:을} [{breg.v:었다}|{breg.v:*었다}].
        # ㄷ irregular: the ㄷ becomes ㄹ before a vowel
        {name:은} {dirr.o:을} [{dirr.v:었다}|{dirr.v:*었다}].
        {dirr.o:을} [{dirr.v:은}|{dirr.v:*은}] 사람은 {name:이다}.
        # ㄷ regular: 받다, 쏟다 keep their ㄷ
        {name:은} {dreg.o:을} [{dreg.v:었다}|{dreg.v:*었다}].
        # ㅅ irregular: the ㅅ falls before a vowel
        {name:은} {sirr.o:을} [{sirr.v:었다}|{sirr.v:*었다}].
        {sirr.o:을} [{sirr.v:은}|{sirr.v:*은}] 사람은 {name:이다}.
        # ㅅ regular: 벗다, 씻다 keep their ㅅ
        {name:은} {sreg.o:을} [{sreg.v:었다}|{sreg.v:*었다}].
        # ㅎ irregular: the ㅎ falls before a vowel
        [{hirr.v:은}|{hirr.v:*은}] {hirr.s:이} 보인다.
        {hirr.s:이} 더 [{hirr.v:어졌다}|{hirr.v:*어졌다}].
        # ㅎ regular: 좋다, 넣다, 놓다 keep their ㅎ
        {name:은} [좋은|존] {thing:을} 샀다.
        {hreg.o:을} 여기에 [{hreg.v:으면}|{hreg.v:*으면}] 안 된다.
        # 르 irregular: 르 becomes ㄹㄹ before 아/어
        {name:은} {reu.o:을} [{reu.v:었다}|{reu.v:*었다}].
        # 으 falls before 아/어
        {eu.s:이} 생각보다 [{eu.v:었다}|{eu.v:*었다}].
        {eu.s:이} 아주 [{eu.v:어요}|{eu.v:*어요}].
        {name:은} {euo.o:을} [{euo.v:었다}|{euo.v:*었다}].
        # 러 irregular: 이르다 (arrive) and 푸르다 add 러
        {name:은} 마침내 {reached}에 [이르렀다|일렀다].
        비가 오자 {green:이} 더 [푸르러졌다|푸러졌다].
        # ㄹ falls before ㄴ, ㅂ, ㅅ, and the ending takes no 으
        {lstem.o:을} [{lstem.v:는}|{lstem.v:*는}] 사람을 보았다.
        {lstem.o:을} [{lstem.v:으면}|{lstem.v:*으면}] 좋겠다.
    """,
    "negation": """
        # 안 stands right before 하다, not before its noun
        {name:은} 어제 [{hada:을} 안|안 {hada:을}] 했다.
        {friend:은} 오늘 [{hada} 안 했다|안 {hada}했다].
        # 안 and 못 stand between the object and the verb
        {name:은} [{act.object:을} 안|안 {act.object:을}] {act.verb:었다}.
        {name:은} 시간이 없어서 [{act.object:을} 못|못 {act.object:을}] {act.verb:었다}.
        # 못 denies an ability: no adjective takes it
        그 {trait.noun:은} [안|못] {trait.v:다}.
        # what is forbidden takes -지 말다
        여기에서 {forbidden:지} [마세요|않으세요].
        여러분, 여기에서는 {forbidden:지} [맙시다|않읍시다].
        # a statement takes -지 않다
        {name:은} {act.place}에서 {act.object:을} {act.verb:지} [않았다|말았다].
        # the tense is on 않다
        {name:은} {act.object:을} [{act.verb:지} 않았다|{act.verb:었지} 않다].
        # 알다 and 있다 have opposites of their own, 모르다 and 없다
        {name:은} 아직 {fact:을} [모른다|안 안다].
        {owned.place}에 {owned.thing:이} [없다|안 있다].
    """,
    "tense": """
        # the past goes with -았-, the future with -(으)ㄹ 것이다
        [{turned.was}|{turned.will}] {name:은} {act.place}에서 {act.object:을} {act.verb:었다}.
        [{turned.will}|{turned.was}] {name:은} {act.place}에서 {act.object:을} {act.verb:을} 것이다.
        {past} {name:은} {act.place}에서 {act.object:을} [{act.verb:었다}|{act.verb:을 것이다}].
        {future} {name:은} {act.place}에서 {act.object:을} [{act.verb:을 것이다}|{act.verb:었다}].
        나는 {future} {act.place}에서 {act.object:을} [{act.verb:겠다}|{act.verb:었다}].
        # -기 전에 has no tense of its own
        {act.object:을} [{act.verb:기}|{act.verb:었기}] 전에 {name:은} 손을 씻었다.
        # before 뒤에 stands -(으)ㄴ, before 동안 -는
        {act.object:을} [{act.verb:은}|{act.verb:는}] 뒤에 {name:은} 집으로 돌아갔다.
        {name:이} {act.object:을} [{act.verb:는}|{act.verb:은}] 동안 나는 밖에서 기다렸다.
        # -(으)ㄴ 적이 있다, -(으)ㄹ 예정이다
        나는 {city}에서 {memory.noun:을} [{memory.verb:은}|{memory.verb:는}] 적이 있다.
        {name:은} {future} {act.object:을} [{act.verb:을}|{act.verb:은}] 예정이다.
    """,
    "aspect": """
        # what is being done to an object is -고 있다, never -아 있다
        {name:은} 지금 {act.object:을} [{act.verb:고}|{act.verb:어}] 있다.
        # the state that an act has left is the passive with -아 있다
        {state.place} {state.thing} [{state.passive}|{state.active}] 있다.
        {name:이} 왔을 때 {state.place} {state.thing} [{state.passive}|{state.active}] 있었다.
        # 만에 goes with what happens at once, 동안 with what lasts
        {name:은} {span} [만에|동안] {achieved:었다}.
        {name:은} {span} [동안|만에] {lasting:었다}.
        # 아직 goes with what has not happened, 벌써 with what has
        {event.s:이} [아직|벌써] {event.v:지} 않았다.
        {event.s:이} [벌써|아직] {event.v:었다}.
    """,
    "sentence_ending": """
        # in the present a verb takes -는다, an adjective -다
        {trait.noun:이} 아주 [{trait.v:다}|{trait.v:는다}].
        {name:은} 주말마다 {act.place}에서 {act.object:을} [{act.verb:는다}|{act.verb:다}].
        # in the exclamation a verb takes -는구나, an adjective -구나
        {trait.noun:이} 참 [{trait.v:구나}|{trait.v:는구나}]!
        {name:이} {act.object:을} 잘 [{act.verb:는구나}|{act.verb:구나}]!
        # -는데 after a verb, -(으)ㄴ데 after an adjective
        {trait.noun:은} [{trait.v:은데}|{trait.v:는데}] 마음에 들지 않는다.
        {name:은} {act.object:을} [{act.verb:는데}|{act.verb:은데}] 나는 쉬고 있다.
        # an adjective has no progressive
        그 {trait.noun:은} 아주 [{trait.v:다}|{trait.v:고 있다}].
    """,
    "voice": """
        # who acts on an object takes the active verb
        {name:이} {voice.n:을} [{voice.vact:었다}|{voice.vpas:었다}].
        # what the act befalls takes the passive verb, and who does it takes 에게
        {caught.s:이} {caught.by}에게 [{caught.vpas:었다}|{caught.vact:었다}].
        {voice.n:이} 결국 [{voice.vpas:었다}|{voice.vact:었다}].
        # who makes it happen takes the causative verb
        {name:이} {cause.n:을} [{cause.vcause:었다}|{cause.vbase:었다}].
        {name:은} {young}에게 {dressed.o:을} [{dressed.vcause:었다}|{dressed.vbase:었다}].
        # what it happens to takes the plain verb
        {melting.n:이} 벌써 [{melting.vbase:었다}|{melting.vcause:었다}].
    """,
}
