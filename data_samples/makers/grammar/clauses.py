"""Rules about clauses: before a noun, quoted, and joined to another."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "because": table(
        "s verb",
        """비, 오다; 눈, 내리다; 바람, 불다; 길, 막히다; 해, 지다; 손님, 오다; 시간, 없다;
        사람, 많다; 차, 많다; 날씨, 춥다; 길, 미끄럽다; 방, 어둡다; 공기, 나쁘다; 배, 고프다;
        안개, 짙다""",
    ),
    "request": words(
        """서둘러 주세요, 조심하세요, 안으로 들어오세요, 천천히 갑시다, 조금 기다리세요,
        내일 다시 오세요, 여기에서 쉽시다, 나중에 이야기합시다, 다음에 만납시다"""
    ),
    "thanks": table(
        "v word",
        """와 주시다, 감사합니다; 늦다, 죄송합니다; 도와주시다, 고맙습니다; 만나다, 반갑습니다;
        기다리게 하다, 죄송합니다; 초대해 주시다, 감사합니다; 걱정을 끼치다, 미안합니다;
        알려 주시다, 고맙습니다; 약속을 잊다, 미안합니다; 전화를 못 받다, 죄송합니다;
        다시 뵙게 되다, 반갑습니다; 칭찬해 주시다, 고맙습니다; 시끄럽게 하다, 죄송합니다""",
    ),
    "goal": verbs(
        """살을 빼다, 건강하게 살다, 한국어를 잘하다, 기차를 타다, 시험에 합격하다, 감기를 막다,
        일찍 일어나다, 돈을 모으다, 좋은 자리에 앉다, 표를 사다, 상을 받다, 친구를 사귀다""",
    ),
    "hard": verbs("바쁘다, 춥다, 덥다, 힘들다, 어렵다, 비싸다, 멀다, 피곤하다, 무섭다, 아프다"),
    "small_but": table(
        "s v",
        """방, 작다; 집, 좁다; 옷, 얇다; 길, 멀다; 글, 짧다; 가게, 작다; 차, 느리다; 값, 비싸다;
        그림, 작다; 마당, 좁다; 의자, 불편하다; 침대, 딱딱하다""",
    ),
    "order": words("반장, 감독, 선생님, 누나, 어머니, 코치, 조장, 대장, 이모, 삼촌"),
}

PHENOMENA = {
    "adnominal": """
        # an adjective modifies a noun with -(으)ㄴ, a verb in the present with -는
        {name:은} [{trait.v:은}|{trait.v:는}] {trait.noun:을} 기억하고 있다.
        아주 [{trait.v:은}|{trait.v:는}] {trait.noun:이} 생각난다.
        {name:은} 지금 {act.object:을} [{act.verb:는}|{act.verb:을}] 중이다.
        # what was is modified with -(으)ㄴ, what will be with -(으)ㄹ
        어제 [{memory.verb:은}|{memory.verb:을}] {memory.noun:이} 자꾸 생각난다.
        내일 [{memory.verb:을}|{memory.verb:은}] {memory.noun:이} 벌써 궁금하다.
        # a predicate before a noun never ends in 다
        어릴 때 자주 [{memory.verb:던}|{memory.verb:다}] {memory.noun:을} 잊지 못한다.
        {act.place}에서 {act.object:을} [{act.verb:는}|{act.verb:다}] 사람은 {name:이다}.
        # -(으)ㄹ 계획이다: a plan lies ahead
        {name:은} 주말에 {act.object:을} [{act.verb:을}|{act.verb:는}] 계획이다.
    """,
    "quotation": """
        # a verb is quoted with -는다고, an adjective with -다고, a noun with -이라고
        {name:은} 날마다 {act.object:을} [{act.verb:는다고}|{act.verb:다고}] 말했다.
        {name:은} {trait.noun:이} [{trait.v:다고}|{trait.v:는다고}] 말했다.
        {name:은} 언니의 직업이 [{job:이라고}|{job}다고] 말했다.
        # an order is quoted with -(으)라고
        {order:은} {name}에게 {act.object:을} [{act.verb:으라고}|{act.verb:는다고}] 시켰다.
        # a proposal is quoted with -자고
        {name:은} 같이 {act.object:을} [{act.verb:자고}|{act.verb:는다고}] 제안했다.
        # a question is quoted with -느냐고
        {name:은} 언제 {act.object:을} [{act.verb:느냐고}|{act.verb:는다고}] 물었다.
        # a quoted sentence is followed by 라고
        {name:은} “{trait.noun:이} {trait.v:어요}.”[라고|다고] 말했다.
        제 이름은 [{name:이라고}|{name}다고] 합니다.
    """,
    "connective": """
        # -아서 is no reason for a request or a proposal: -(으)니까 is
        {because.s:이} [{because.verb:으니까}|{because.verb:어서}] {request}.
        # thanks and apologies give their reason with -아서
        [{thanks.v:어서}|{thanks.v:으니까}] {thanks.word}.
        # -아서 and -자마자 bear no tense
        {because.s:이} [{because.verb:어서}|{because.verb:었어서}] {name:은} 집에 갔다.
        {event.s:이} [{event.v:자마자}|{event.v:었자마자}] {name:은} 밖으로 나갔다.
        # before a request the aim is -(으)려면
        [{goal:으려면}|{goal:으려고}] 지금부터 준비하세요.
        # -(으)러 goes with coming and going only
        {name:은} {act.object:을} [{act.verb:으려고}|{act.verb:으러}] 일찍 일어났다.
        # 만약 asks for -(으)면, 아무리 for -아도, 비록 for -지만
        만약 {because.s:이} [{because.verb:으면}|{because.verb:으니까}] 나에게 알려 줘.
        아무리 [{hard:어도}|{hard:으면}] 포기하지 마세요.
        비록 {small_but.s:은} [{small_but.v:지만}|{small_but.v:어서}] 마음에 든다.
    """,
}
