"""What looks like markup or boilerplate, and is text: it leaves cleaning as it came."""

import pytest

from gemma_ko_lib.corpus import clean_text

REGISTERS = [None, "news", "blog", "community", "book"]

# Not by what stands between "<" and ">", nor by how a line begins.
SURVIVES = [
    # comparisons, in mathematics and in code
    "두 변의 길이가 a<b 이고 c>d 이면 넓이를 견줄 수 없다.",
    "구간을 x<p 와 x>q 로 나누어 표를 채우고 그래프를 그린다.",
    "반복문은 (i<s && t>i) 가 참일 때만 다음 줄로 간다.",
    "값이 0<u<1 이고 u>i 인 동안 i<u, u>b 를 살핀다.",
    "x<p>y 라고 쓰면 두 부등식을 한 번에 적은 것이다.",
    "a<b>c 와 p<q>s 는 모두 가운데 수가 가장 크다.",
    "a<b c>d 처럼 쉼표 없이 적은 답도 맞게 친다.",
    # names in angle brackets
    "자료형은 vector<a> 와 map<s, i> 두 가지를 쓴다.",
    "List<String> 을 Map<String, List<a>> 로 바꾸었다.",
    "<보기>에서 <A>와 <B>를 견주어 옳은 것을 고르시오.",
    "파일은 cp <source> <target> 으로 베끼고 mv <a> <b> 로 옮긴다.",
    "설명서에는 <Del> 키와 <Link> 라는 이름이 나온다.",
    "저자에게는 <http://example.org/a> 로 알리면 된다.",
    # texts about HTML, and markup of another kind
    "HTML에서 <b> 와 </b> 태그는 사이에 있는 글을 굵게 한다.",
    "문단은 <p> 태그로, 줄바꿈은 <br> 태그로 적는다.",
    "주석은 <!-- 이렇게 --> 적고 화면에는 나오지 않는다.",
    "<entry><form>가게</form><p>물건을 파는 집</p></entry>",
    "<script>\nalert('안녕');\n</script>\n위의 석 줄을 파일 끝에 붙인다.",
    # code and formulas
    "글이다.\n\n```py\nif a<b:\n    print('!!!!')\n\n\n\n    x = '<b>굵게</b>'\n```\n\n끝.",
    "글이다.\n\n~~~\n가  나\n    다....\n~~~\n\n끝이다.",
    "함수는 다음과 같다.\n\ndef double(x):\n    if x<b and c>x:\n        return 2*x\n\n두 배다.",
    "for (int i = 0; i<b; i++) {\n    sum  +=  a[i];\n}\n합을 구하는 코드이다.",
    "명령은 `grep '<b>.....'  a.txt` 이고 결과는 둘이다.",
    "넓이는 $a<b>c!!!!$ 이고 \\[ x<p \\quad p>y....... \\] 도 참이다.",
    "0 0 0 1\n0 0 0 1\n0 0 0 1\n0 0 0 1",
    # names that are not said
    "ㅇㅇㅇ이라는 사람이 ㅇㅇㅇㅇ주식회사를 판다고 한다.",
    # headings, tables, paths, remotes
    "# 제목\n\n## 작은 제목\n\n### 더 작은 제목\n\n글이 이어진다. 다음 문장도 있다.",
    "제목\n====\n\n글이 이어진다.\n\n작은 제목\n~~~~~~~~~\n\n글이 또 이어진다.",
    "| a | b |\n|---|---|\n| 1 | 2 |\n표 아래의 글이다.",
    "설정은 C:\\Users\\hong\\a<b> 나 ../../../etc/x.d 에 있다.",
    "git clone git@github.com:team/repo.git 을 치고 cd repo 를 친다.",
    # lines that begin like boilerplate
    "■ 네이버 주가가 하루에 크게 오른 까닭은 무엇인가",
    "▶ 유튜브 채널을 연 농부는 씨앗을 나누어 준다",
    "▲ 사진관이 골목 끝에 문을 열었다",
    "[사진] 수업은 월요일마다 오전에 한다",
    "■ 이 기사는 취재원의 부탁으로 이름을 가렸다.",
    "저작권자 허락 없이 무단 복제하면 벌을 받는다.",
    "'무단전재 금지' 표시를 단 글이 부쩍 늘었다.",
    "그래픽: 표 3은 달마다 온 비의 양을 나타낸다.",
    "(단위=천원) 올해 예산은 아래 표와 같다.",
    "제보: 시민이 보낸 글을 그대로 옮긴다.",
    "우리가 날마다 쓰는 것은 페이스북 트위터 카카오톡",
    "문의\nhelp@example.com\n으로 보내 주시면 됩니다.",
]


@pytest.mark.parametrize("register", REGISTERS)
@pytest.mark.parametrize("text", SURVIVES)
def test_what_only_looks_like_markup_or_boilerplate_stays(text, register):
    assert clean_text(text, register).text == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("글을 <b>굵게</b> 쓰고 <br> 로 줄을 바꾼다.", "글을 굵게 쓰고\n로 줄을 바꾼다."),
        ("첫 줄<br>둘째 줄", "첫 줄\n둘째 줄"),
        ("<p>첫 문단<p>둘째 문단", "첫 문단\n둘째 문단"),
        ("값 </span> 다음 값 </span> 끝 값", "값 다음 값 끝 값"),
        ('앞 <img src="a.png" alt="x > y"> 뒤', "앞 뒤"),
        ("<FONT COLOR=red>빨간</FONT> 글", "빨간 글"),
        ("<div class='a'><input disabled>글</div>", "글"),
        ("<o:p></o:p><p>워드에서 온 글</p>", "워드에서 온 글"),
        # Beside sure tags, what is glued to a name is still a comparison.
        ("<a href='x'>여기</a>에서 x<p>y 를 보라", "여기에서 x<p>y 를 보라"),
        # Lines of code keep their breaks and their indentation.
        (
            "<p>코드</p><pre>\nif a:\n    b = 1 &lt; 2\n</pre>",
            "코드\n\n```\nif a:\n    b = 1 < 2\n```",
        ),
    ],
)
def test_html_goes_where_it_is_html(text, cleaned):
    assert clean_text(text).text == cleaned


def test_a_page_whose_script_is_no_text_loses_it():
    page = "<html><body><script>\nvar a = 1 < 2;\n</script><p>글이다.</p></body></html>"
    assert clean_text(page).text == "글이다."


# --- Documents that a filter may not drop -------------------------------------------------


@pytest.mark.parametrize(
    ("text", "register"),
    [
        # a manual whose steps say the same of different things
        ("\n".join(f"{n}번 칸\n이 목록에서 {n}번 칸의 값을 고릅니다." for n in range(9)), None),
        # a complaint pasted twice
        ("소음이 나더니 차가 멈춰 섰고 고친 뒤에도 같은 일이 있었습니다. " * 2, None),
        # many headings are no hashtags
        ("# 하나\n\n글이 있다.\n\n### 둘\n\n글이 더 이어진다.\n\n### 셋\n\n글이 끝난다."
         "\n\n### 넷\n\n한 줄 더.", "book"),
        # a menu's entries end in an ellipsis, what is said of them does not
        ("글꼴...\n수식에 쓰는 글꼴을 고릅니다.\n크기...\n글꼴의 크기를 정합니다.\n간격...\n"
         "글자 사이의 간격을 정합니다.", None),
        # Korean with a link, with hearts, with English
        ("여기를 보세요 https://news.example.com/article/003/0009699455", "comment"),
        ("우리 가수 응원합니다" + "❤\ufe0f" * 40, "comment"),
        ("제이미 happy birthday to you", "comment"),
        # without spaces, as some write
        ("감기에는마늘을얇게썰어끓인물을드세요.아주좋아요." * 9, None),
        ("아들을저리키워놓고...난리들이지...어이없다...설거지는해야지...빨래도...", "comment"),
    ],
)  # fmt: skip
def test_these_are_kept(text, register):
    assert clean_text(text, register).dropped_by is None


def test_each_rule_says_how_much_it_took():
    result = clean_text("하하ㅋㅋㅋㅋ<br>네", "review")
    assert dict(zip(result.changed_by, result.lost, strict=True)) == {
        "strip_html": 3,
        "shorten_runs": 2,
    }
