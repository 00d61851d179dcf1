"""Rules about clauses: before a noun, quoted, and joined to another."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "bother": verbs("바쁘다, 덥다, 춥다, 배고프다, 힘들다, 피곤하다, 졸리다, 심심하다, 아프다"),
    "weather": table(
        "s verb",
        """비, 오다; 눈, 내리다; 길, 막히다; 손님, 많다; 사람, 많다; 날씨, 춥다; 길, 미끄럽다;
        방, 어둡다; 공기, 나쁘다; 배, 고프다; 안개, 짙다; 바람, 불다; 날씨, 덥다""",
    ),
    "effect": words("잠이 안 온다, 기분이 이상하다, 힘이 없다, 목이 마르다, 머리가 아프다"),
    # Not 조심하세요, which says of an elder that she is careful, too.
    "request": words(
        """서둘러 주십시오, 조심하십시오, 안으로 들어오십시오, 천천히 갑시다, 조금 기다리십시오,
        내일 다시 오십시오, 나중에 이야기합시다, 다음에 만납시다"""
    ),
    # Which being tired or hungry is a reason for.
    "later": words(
        """조금 쉽시다, 나중에 합시다, 안으로 들어갑시다, 천천히 갑시다, 그만 돌아갑시다,
        내일 다시 오십시오, 나중에 이야기합시다, 다음에 만납시다"""
    ),
    "goal": table(
        "v vready",
        """기차를 타다, 서두르다; 시험에 합격하다, 열심히 공부하다; 표를 사다, 일찍 나오다;
        살을 빼다, 매일 걷다; 돈을 모으다, 아껴 쓰다; 상을 받다, 부지런히 연습하다;
        자리를 잡다, 빨리 오다; 감기를 막다, 손을 씻다; 일출을 보다, 새벽에 일어나다""",
    ),
    "bought": table(
        "s v",
        """집, 좁다; 옷, 비싸다; 옷, 얇다; 차, 비싸다; 값, 비싸다; 의자, 낮다;
        침대, 딱딱하다; 구두, 크다;
        가방, 무겁다; 모자, 작다; 시계, 비싸다; 책상, 낮다; 이불, 얇다; 칼, 무겁다;
        상자, 작다; 사과, 작다""",
    ),
    "order": words("반장, 감독, 선생님, 누나, 어머니, 코치, 조장, 이모, 삼촌, 언니"),
}

PHENOMENA = {
    "adnominal": """
        # an adjective modifies a noun with -(으)ㄴ, a verb in the present with -는
        {name:은} [{trait.v:은}|{trait.v:는}] {trait.noun:을} 기억한다.
            / {name:이} {act.object:을} [{act.verb:는}|{act.verb:은}] 도중에 비가 왔다.
        아주 [{trait.v:은}|{trait.v:는}] {trait.noun:이} 생각난다.
            / {name:은} 주말마다 {act.object:을} [{act.verb:는}|{act.verb:은}] 습관이 있다.
        # what was is modified with -(으)ㄴ, what will be with -(으)ㄹ
        어제 [{memory.verb:은}|{memory.verb:을}] {memory.noun:이} 생각난다.
            / 내일 [{memory.verb:을}|{memory.verb:은}] {memory.noun:이} 궁금하다.
        {past} {name:이} [{memory.verb:은}|{memory.verb:을}] {memory.noun:이다}.
            / {future} {name:이} [{memory.verb:을}|{memory.verb:은}] {memory.noun:이다}.
        # -(으)ㄹ 계획이다: a plan lies ahead; -는 중이다: it is going on
        {name:은} {act.object:을} [{act.verb:을}|{act.verb:는}] 계획이다.
            / {name:은} {act.object:을} [{act.verb:는}|{act.verb:을}] 중이다.
        # -(으)ㄹ 때까지 lies ahead, -(으)ㄴ 다음에 behind
        {act.object:을} [{act.verb:을}|{act.verb:은}] 때까지 기다려라.
            / {act.object:을} [{act.verb:은}|{act.verb:을}] 다음에 집에 가라.
    """,
    "quotation": """
        # a verb is quoted with -는다고, an adjective with -다고
        {name:은} {trait.noun:이} [{trait.v:다고}|{trait.v:는다고}] 말했다.
            / {name:은} 날마다 {act.object:을} [{act.verb:는다고}|{act.verb:다고}] 말했다.
        # an order is quoted with -(으)라고, a thought with -는다고
        {order:은} {name}에게 {act.object:을} [{act.verb:으라고}|{act.verb:는다고}] 시켰다.
            / 나는 {name:이} {act.object:을} [{act.verb:는다고}|{act.verb:으라고}] 생각했다.
        # a proposal is quoted with -자고
        {name:은} 같이 {act.object:을} [{act.verb:자고}|{act.verb:는다고}] 제안했다.
            / 나는 {name:이} {act.object:을} [{act.verb:는다고}|{act.verb:자고}] 생각했다.
        {name:은} 나에게 {act.object:을} 함께 [{act.verb:자고}|{act.verb:느냐고}] 졸랐다.
            / {name:은} 나에게 언제 {act.object:을} [{act.verb:느냐고}|{act.verb:자고}] 물었다.
        # a question is quoted with -느냐고, an answer with -는다고
        {name:은} 왜 {act.object:을} [{act.verb:느냐고}|{act.verb:는다고}] 물었다.
            / {name:은} 지금 {act.object:을} [{act.verb:는다고}|{act.verb:느냐고}] 대답했다.
    """,
    "connective": """
        # -아서 is no reason for a request or a proposal: -(으)니까 is
        {weather.s:이} [{weather.verb:으니까}|{weather.verb:어서}] {request}.
            / {weather.s:이} [{weather.verb:어서}|{weather.verb:으니까}] 그런지 {effect}.
        지금은 [{bother:으니까}|{bother:어서}] {later}.
            / 요즘 너무 [{bother:어서}|{bother:으니까}] 죽겠다.
        # 만약 asks for -(으)면, 아무리 for -아도
        만약 {bought.s:이} [{bought.v:으면}|{bought.v:어도}] 어떡하지?
            / 아무리 {bought.s:이} [{bought.v:어도}|{bought.v:으면}] 나는 좋다.
        만약 {weather.s:이} [{weather.verb:으면}|{weather.verb:어도}] 어떡하죠?
            / 아무리 {weather.s:이} [{weather.verb:어도}|{weather.verb:으면}] 꼭 갑니다.
        # before a request the aim is -(으)려면, before what was done -(으)려고
        [{goal.v:으려면}|{goal.v:으려고}] {goal.vready:으십시오}.
            / {name:은} [{goal.v:으려고}|{goal.v:으려면}] {goal.vready:었다}.
    """,
}
