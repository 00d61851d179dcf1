"""Rules that are seen and not heard: spaces, 되/돼, 안/않, the copula, words that sound alike."""

from data_samples.makers.grammar.lexicon import table, verbs, words

TABLES = {
    "outcome": table(
        "s n",
        """수업, 시작; 저녁, 준비; 문제, 해결; 건물, 완성; 결과, 발표; 예약, 취소; 전화, 연결;
        날짜, 결정; 서류, 정리; 일정, 변경; 계약, 체결; 내용, 이해; 행사, 연기; 공사, 중단;
        자료, 공개; 주소, 확인; 신청, 접수; 회의, 진행; 물, 공급; 계획, 승인""",
    ),
    "allowed": verbs(
        """사진을 찍다, 음식을 먹다, 창문을 열다, 전화를 받다, 수영을 하다, 차를 세우다,
        노래를 부르다, 불을 끄다, 의자에 앉다, 공을 차다, 신발을 벗다, 질문을 하다, 물을 마시다,
        이름을 쓰다, 큰 소리로 웃다"""
    ),
    "fun": verbs(
        """책을 읽다, 요리를 배우다, 노래를 부르다, 자전거를 타다, 축구를 하다, 그림을 그리다,
        영화를 보다, 이야기를 듣다, 사진을 찍다, 글을 쓰다"""
    ),
    "means": words("대화, 투표, 양보, 웃음, 글, 노력"),
    "problem": words("문제, 갈등, 다툼, 오해"),
    "illness": words("감기, 배탈, 병, 상처, 두통, 몸살, 허리"),
    "subject": words("영어, 수학, 음악, 미술, 한국어, 과학, 역사, 수영, 한자"),
    "pointed": words("산, 지도, 하늘, 칠판, 시계, 북쪽, 문, 별, 간판"),
    "answered": words("정답, 과녁, 퀴즈, 수수께끼"),
    "forgot": words("약속, 이름, 생일, 나이, 할 일, 고마움, 규칙"),
    "feast": words("잔치, 싸움, 축제, 토론, 행사, 운동"),
    "opened": words("입, 팔, 다리, 두 손, 손가락"),
    "hurt": words("다리, 손, 허리, 무릎, 어깨, 발목, 팔"),
    "shut": words("문, 창문, 뚜껑, 대문, 서랍, 교문"),
    "load": words("가방, 배낭, 책가방, 기타, 장바구니"),
    "tied": words("넥타이, 끈, 리본, 신발 끈, 안전띠, 허리띠"),
    "posted": words("편지, 소포, 엽서, 짐, 책, 돈"),
    "stuck": words("우표, 사진, 종이, 스티커, 이름표, 쪽지"),
}

PHENOMENA = {
    "spacing": """
        # dependent nouns stand apart: 수, 것, 적, 줄, 지, 만큼
        {name:은} {act.object:을} {act.verb:을}[ |]수 있다.
        {name:은} {future} {act.object:을} {act.verb:을}[ |]것이다.
        나는 {city}에서 {memory.noun:을} {memory.verb:은}[ |]적이 있다.
        나는 {name:이} {act.object:을} {act.verb:는}[ |]줄 알았다.
        {name:이} {city}에 온[ |]지 한 달이 되었다.
        # counters stand apart
        {name:은} {fruit:을} {native}[ |]개 샀다.
        # particles do not
        {name:은} {act.place}[| ]에서 {act.object:을} {act.verb:었다}.
        {name:은} {friend}[| ]에게 {gift:을} 주었다.
        {city}[| ]까지 기차를 탔다.
        {name:은} {friend}[| ]보다 키가 크다.
        {name:은} {job}[| ]처럼 말한다.
        # 하다, 들 and endings are part of the word
        {name:은} 어제 {hada}[| ]했다.
        {friend}[| ]들이 {city}에 왔다.
        {fun:을}[| ]수록 재미있다.
    """,
    "doe_dwae": """
        # 돼 is 되어; before a consonant ending it is 되
        {outcome.s:이} 곧 {outcome.n}[돼요|되요].
        {outcome.s:이} 이미 {outcome.n}[됐다|됬다].
        {outcome.s:이} {outcome.n}[돼서|되서] 다행이다.
        오늘 안에 {outcome.s:이} {outcome.n}[돼야|되야] 합니다.
        {outcome.s:이} {outcome.n}[되면|돼면] 알려 주세요.
        {outcome.s:이} 아직 {outcome.n}[되지|돼지] 않았다.
        지금 {outcome.s:이} {outcome.n}[되고|돼고] 있다.
        {outcome.s:이} 내일 {outcome.n}[된다고|됀다고] 한다.
        여기에서 {allowed:으면} 안 [돼요|되요].
        {allowed:어도} [되나요|돼나요]?
        나는 커서 {job:이} [되고|돼고] 싶다.
        {name:은} 작년에 {job:이} [됐어요|됬어요].
    """,
    "an_anh": """
        # 안 is the adverb, 않 the stem of 않다 after -지
        {name:은} {act.object:을} [안|않] {act.verb:었다}.
        {trait.noun:이} [안|않] {trait.v:어요}.
        여기에서 {allowed:으면} [안|않] 됩니다.
        {name:은} {act.object:을} {act.verb:지} [않았다|안았다].
        {name:은} 요즘 {act.object:을} {act.verb:지} [않는다|안는다].
        {trait.noun:이} 생각보다 {trait.v:지} [않다|안다].
        {act.object:을} {act.verb:지} [않고|안고] 집에 왔다.
        {act.object:을} {act.verb:지} [않은|안은] 사람은 {name:이다}.
        {allowed:지} [않으면|안으면] 좋겠어요.
    """,
    "copula": """
        # 이에요 after a consonant, 예요 after a vowel; 이예요 and 에요 are not written
        저는 [{job:이에요}|{job:이예요}].
        제 이름은 [{name:이에요}|{name:이예요}].
        이것은 {friend:이} 준 [{gift:이에요}|{gift:이예요}].
        여기가 바로 [{city:이에요}|{city:이예요}].
        # the negative copula is 아니에요
        저는 {job:이} [아니에요|아니예요].
        그것은 {thing:이} [아니에요|아니예요].
        # 거예요 is 것이에요
        {name:은} {future} {act.object:을} {act.verb:을} [거예요|거에요].
        이 {gift:은} {friend:이} 준 [거예요|거에요].
    """,
    "homophone": """
        # -든지 is a choice, -던 a memory
        무엇을 [{did.verb:든지}|{did.verb:던지}] 괜찮다.
        {did.object:을} [{did.verb:든지}|{did.verb:던지}] 말든지 마음대로 해라.
        어릴 때 [{memory.verb:던}|{memory.verb:든}] {memory.noun:을} 잊지 못한다.
        # 으로서 is a role, 으로써 a means
        {name:은} [{job:으로서}|{job:으로써}] 책임을 다했다.
        {name:은} [{means:으로써}|{means:으로서}] {problem:을} 풀었다.
        # 낫다 to heal, 낳다 to give birth
        {name:은} {illness:이} 다 [나았다|낳았다].
        # 가르치다 to teach, 가리키다 to point at
        {name:은} 학생들에게 {subject:을} [가르친다|가리킨다].
        {name:은} 손가락으로 {pointed:을} [가리킨다|가르친다].
        # 맞히다 to hit, 맞추다 to fit
        {name:은} 마침내 {answered:을} [맞혔다|맞췄다].
        # 잊다 to forget, 잃다 to lose
        {name:은} {forgot:을} [잊어버렸다|잃어버렸다].
        # 벌이다 to hold, 벌리다 to open wide
        마을 사람들이 {feast:을} [벌였다|벌렸다].
        {name:은} {opened:을} 크게 [벌렸다|벌였다].
        # 다치다 to be hurt, 닫히다 to be shut
        {name:은} {hurt:을} [다쳤다|닫혔다].
        바람에 {shut:이} [닫혔다|다쳤다].
        # 메다 to shoulder, 매다 to tie
        {name:은} {load:을} [메고|매고] 나갔다.
        {name:은} {tied:을} [매고|메고] 나갔다.
        # 부치다 to send, 붙이다 to stick
        {name:은} 우체국에서 {posted:을} [부쳤다|붙였다].
        {name:은} 봉투에 {stuck:을} [붙였다|부쳤다].
    """,
}
