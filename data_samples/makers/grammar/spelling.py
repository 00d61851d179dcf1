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
    "means": words("대화, 투표, 양보, 웃음, 글, 노력"),
    "problem": words("문제, 갈등, 다툼, 오해"),
    "illness": words("감기, 배탈, 병, 상처, 두통, 몸살, 허리"),
    "subject": words("영어, 수학, 음악, 미술, 한국어, 과학, 역사, 수영, 한자"),
    "pointed": words("산, 지도, 하늘, 칠판, 시계, 북쪽, 문, 별, 간판"),
    "answered": words("문제, 과녁, 퀴즈, 수수께끼"),
    # What cannot be lost, and below what cannot be forgotten, as the way can.
    "forgot": words("약속, 기념일, 생일, 나이, 시험 날짜, 대사, 규칙"),
    "feast": words("잔치, 싸움, 축제, 토론, 행사, 운동"),
    "opened": words("입, 팔, 다리, 두 손, 손가락"),
    "hurt": words("다리, 손, 허리, 무릎, 어깨, 발목, 팔"),
    "shut": words("문, 창문, 뚜껑, 대문, 서랍, 교문"),
    "load": words("가방, 배낭, 책가방, 기타, 장바구니"),
    "tied": words("넥타이, 끈, 리본, 신발 끈, 안전띠, 허리띠"),
    "posted": words("편지, 소포, 엽서, 짐, 책, 돈"),
    "stuck": words("우표, 사진, 종이, 스티커, 이름표, 쪽지"),
    "born": words("아기, 아들, 딸, 쌍둥이, 알, 새끼"),
    "fitted": words("퍼즐, 줄, 간격, 박자, 안경, 양복"),
    "lost": words("자신감, 의식, 입맛, 시력, 기운, 균형, 재산"),
    "salted": words("배추, 오이, 무, 고등어, 깻잎"),
    "numb": words("다리, 팔, 손끝, 발"),
    "season": table(
        "s v",
        """날씨, 춥다; 길, 멀다; 방, 덥다; 짐, 무겁다; 시험, 어렵다; 산, 높다;
        일, 힘들다; 고추, 맵다;
        길, 미끄럽다; 물, 차갑다""",
    ),
    "calm": verbs("춥다, 바쁘다, 비싸다, 멀다, 아프다, 어렵다, 맵다, 무겁다, 힘들다, 시끄럽다"),
    "ago": words("일주일, 한 달, 두 달, 일 년, 십 년, 사흘, 나흘, 열흘"),
    "kin": words("너, 나, 동생, 형, 언니, 친구, 아버지, 어머니"),
    "white": table(
        "noun v", "눈, 희다; 별, 빛나다; 꽃, 곱다; 얼음, 차갑다; 돌, 단단하다; 꿀, 달다"
    ),
    "agreed": words("약속, 계획, 생각, 규칙, 법, 순서, 말씀, 설명서"),
    "whom": words("친구, 동생, 형, 누나, 후배, 선배"),
    "inside": words("건물, 교실, 가게, 도서관, 식당, 공원, 극장, 학교"),
    "only": words("너, 나, 돈, 물, 책, 빵, 밥, 꿈"),
}

PHENOMENA = {
    "spacing": """
        # 만큼, 대로 and 뿐 stand apart after a verb, not after a noun
        {act.object:을} {act.verb:은}[ |]만큼 좋았다. / {kin}[| ]만큼 좋았다.
        내가 {did.verb:은}[ |]대로 되었다. / {agreed}[| ]대로 되었다.
        나는 {act.object:을} {act.verb:을}[ |]뿐이다. / 나에게는 {only}[| ]뿐이다.
        # 지 stands apart where it counts time, not in an ending
        {name:이} {act.object:을} {act.verb:은}[ |]지 {ago:이} 되었다.
            / {trait.noun:이} 얼마나 {trait.v:은}[| ]지 모른다.
        # 데 stands apart where it means what one does, not in the ending -는데
        {act.object:을} {act.verb:는}[ |]데 한 시간이 걸렸다.
            / {act.object:을} {act.verb:는}[| ]데 전화가 왔다.
        # 밖에 stands apart where it means outside, not where it means only
        {name:은} {inside}[ |]밖에 있다. / 나에게는 {only}[| ]밖에 없다.
        # 같이 stands apart where it means together, not where it means like
        {whom:과}[ |]같이 놀았다. / {white.noun}[| ]같이 {white.v:은} 것이다.
    """,
    "doe_dwae": """
        # 돼 is 되어; before a consonant ending it is 되
        {outcome.s:이} 곧 {outcome.n}[돼요|되요].
            / {outcome.s:이} 곧 {outcome.n}[되겠다|돼겠다].
        {outcome.s:이} {outcome.n}[돼서|되서] 다행이다.
            / 곧 {outcome.s:이} {outcome.n}[되는데|돼는데] 어디 가니?
        오늘 {outcome.s:이} {outcome.n}[돼야|되야] 합니다.
            / 오늘 {outcome.s:이} {outcome.n}[되거나|돼거나] 할 것이다.
        {allowed:으면} 안 [돼서|되서] 참았다. / {allowed:어도} [되나요|돼나요]?
        여기서 {allowed:어도} [돼|되]. / 여기서 {allowed:어도} [되니|돼니]?
        나는 {job:이} [돼서|되서] 기쁘다. / 나는 {job:이} [되겠다|돼겠다].
        {name:은} {job:이} [돼도|되도] 좋다.
            / {name:은} {job:이} [되자|돼자] 기뻐했다.
    """,
    "an_anh": """
        # 안 is the adverb, 않 the stem of 않다 after -지
        {name:은} {act.object:을} [안|않] {act.verb:었다}.
            / {name:은} {act.object:을} {act.verb:지} [않겠다고|안겠다고] 했다.
        오늘은 [안|않] {calm:어요}. / 오늘은 {calm:지} [않아요|안아요].
        {allowed:으면} [안|않] 됩니다. / {allowed:지} [않겠어요|안겠어요].
        왜 {act.object:을} [안|않] {act.verb:니}?
            / 왜 {act.object:을} {act.verb:지} [않니|안니]?
        {act.object:을} [안|않] {act.verb:고} 집에 왔다.
            / {act.object:을} {act.verb:지} [않아서|안아서] 걱정이다.
        {act.object:을} [안|않] {act.verb:은} 사람은 {name:이다}.
            / {act.object:을} {act.verb:지} [않기로|안기로] 한 사람은 {name:이다}.
    """,
    "copula": """
        # 이에요 after a consonant, 예요 after a vowel
        저는 [{job_c}이에요|{job_c}예요]. / 저는 [{job_o}예요|{job_o}이에요].
        이것은 {friend:이} 준 [{gift_c}이에요|{gift_c}예요].
            / 이것은 {friend:이} 준 [{gift_o}예요|{gift_o}이에요].
        여기가 바로 [{city_c}이에요|{city_c}예요].
            / 여기가 바로 [{city_o}예요|{city_o}이에요].
        # 이야 after a consonant, 야 after a vowel
        그 사람은 [{job_c}이야|{job_c}야]. / 그 사람은 [{job_o}야|{job_o}이야].
        그것은 [{thing_c}이야|{thing_c}야]. / 그것은 [{thing_o}야|{thing_o}이야].
        여기는 [{city_c}이야|{city_c}야]. / 여기는 [{city_o}야|{city_o}이야].
    """,
    "homophone": """
        # -든지 is a choice, -던지 what one remembers
        {season.s:이} [{season.v:든지}|{season.v:던지}] 말든지 괜찮다.
            / {season.s:이} 얼마나 [{season.v:던지}|{season.v:든지}] 모른다.
        # 으로서 is a role, 으로써 a means
        {name:은} [{job:으로서}|{job:으로써}] 책임을 다했다.
            / {name:은} [{means:으로써}|{means:으로서}] {problem:을} 풀었다.
        # two verbs that sound alike
        {name:은} {illness:이} 다 [나았다|낳았다].
            / {name}네 집에서 {born:을} [낳았다|나았다].
        {name:은} 학생들에게 {subject:을} [가르쳤다|가리켰다].
            / {name:은} 손가락으로 {pointed:을} [가리켰다|가르쳤다].
        {name:은} {answered:을} [맞혔다|맞췄다].
            / {name:은} {fitted:을} [맞췄다|맞혔다].
        {name:은} {forgot:을} [잊어버렸다|잃어버렸다].
            / {name:은} {lost:을} [잃어버렸다|잊어버렸다].
        사람들이 {feast:을} [벌였다|벌렸다].
            / 사람들이 {opened:을} [벌렸다|벌였다].
        {name:은} 어제 {hurt:을} [다쳤다|닫혔다].
            / 어제 바람에 {shut:이} [닫혔다|다쳤다].
        {name:은} {load:을} [메고|매고] 나갔다.
            / {name:은} {tied:을} [매고|메고] 나갔다.
        우체국에서 {posted:을} [부쳤다|붙였다].
            / 봉투에 {stuck:을} [붙였다|부쳤다].
        소금에 {salted:을} [절였다|저렸다].
            / 오래 앉아서 {numb:이} [저렸다|절였다].
    """,
}
