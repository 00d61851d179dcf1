"""Korean inflection: a noun with its particle, a verb with its ending, right and wrong.

In goes a dictionary form, out comes what Python's format syntax asks for:

    f"{Noun('책'):은}"      → "책은"        f"{Noun('책'):*은}"      → "책는"
    f"{Verb('돕다'):었다}"  → "도왔다"      f"{Verb('돕다'):*었다}"  → "돕았다"

The asterisk is the linguists' mark of what nobody says: the particle's other form, or the
verb inflected by the wrong class. Particles are asked for by the form that follows a
consonant (은, 이, 으로), endings by the one that follows 먹- (어서, 으면, 는다, 습니다).
Rules: 한국어 어문 규범 (https://korean.go.kr/kornorms/), 한글 맞춤법 §15–18, §34–36.
"""

_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_AFTER_VOWEL = {
    "은": "는",
    "이": "가",
    "을": "를",
    "과": "와",
    "아": "야",
    "으로": "로",
    "으로서": "로서",
    "으로써": "로써",
    "이나": "나",
    "이랑": "랑",
    "이다": "다",
    "이야": "야",
    "이라고": "라고",
    "이에요": "예요",
    "이예요": "에요",  # how the two are misspelt
}
_CONTRACTED = {"ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ"}
_ABSORBED = "ㅏㅓㅐㅔㅕ"
_H_VOWEL = {"ㅏ": "ㅐ", "ㅑ": "ㅒ", "ㅓ": "ㅔ", "ㅕ": "ㅖ"}

# Stems by irregular class. 르, 으 and ㄹ can be told from the stem, but for the words named.
_IRREGULAR = {
    "ㅂ": "돕 곱 굽 눕 줍 춥 덥 쉽 맵 밉 어둡 무겁 가볍 뜨겁 차갑 어렵 무섭 귀엽 가깝 더럽"
    " 즐겁 고맙 반갑 아름답 부드럽 미끄럽 시끄럽 그립 부럽 두껍 싱겁 새롭 외롭 아쉽 두렵",
    "ㄷ": "걷 듣 묻 싣 깨닫 긷",
    "ㅅ": "짓 붓 잇 낫 긋 젓",
    "ㅎ": "파랗 하얗 노랗 까맣 빨갛 뿌옇 커다랗 둥그렇 동그랗 누렇",
    "러": "이르 푸르",
    "으": "따르 치르 들르",
}
_CLASS = {stem: kind for kind, stems in _IRREGULAR.items() for stem in stems.split()}


def _split(syllable: str) -> tuple[int, str, str]:
    """Initial consonant (its number), vowel and final (a space for none) of a syllable."""
    number = ord(syllable) - 0xAC00
    return number // 588, _VOWELS[number // 28 % 21], _FINALS[number % 28]


def _with(word: str, vowel: str | None = None, final: str | None = None) -> str:
    """The word with another vowel or final in its last syllable."""
    initial, old_vowel, old_final = _split(word[-1])
    vowel_number = _VOWELS.index(vowel or old_vowel)
    final_number = _FINALS.index(final or old_final)
    return word[:-1] + chr(0xAC00 + (initial * 21 + vowel_number) * 28 + final_number)


def _final(word: str) -> str:
    return _split(word[-1])[2]


def _vowel(word: str) -> str:
    return _split(word[-1])[1]


def _a_or_eo(word: str) -> str:
    return "아" if _vowel(word) in "ㅏㅑㅗ" else "어"


class Noun(str):
    """A word that takes particles: format it with one, or with `*` and the wrong form of one."""

    def __format__(self, particle: str) -> str:
        if not particle:
            return str(self)
        wrong, particle = particle.startswith("*"), particle.removeprefix("*")
        open_syllable = _final(self) == " " or (_final(self) == "ㄹ" and particle[0] == "으")
        return self + (_AFTER_VOWEL[particle] if open_syllable != wrong else particle)


class Verb:
    """A verb or adjective, phrases included ("책을 읽다"): format it with an ending.

    Args:
        word: the dictionary form, with 다.
    """

    def __init__(self, word: str):
        self.word = word
        self.stem = word.removesuffix("다")
        last_word = self.stem.split()[-1]
        self.kind = _CLASS.get(last_word, "")
        if not self.kind and last_word[-1] == "르":
            self.kind = "르"
        elif not self.kind and _final(last_word) == " " and _vowel(last_word) == "ㅡ":
            self.kind = "으"
        elif not self.kind and _final(last_word) == "ㄹ":
            self.kind = "ㄹ"

    def __format__(self, ending: str) -> str:
        if not ending:
            return self.word
        if ending.startswith("*"):
            return _join(self.stem, self._wrong_kind(), ending[1:])
        return _join(self.stem, self.kind, ending)

    def _wrong_kind(self) -> str:
        """The class that learners and careless writers take the verb for."""
        if self.kind == "르":
            return "으"
        if self.kind == "러":
            return "르"
        if self.kind:
            return "regular"
        # An ordinary stem inflected as if its final were a changing one.
        return {"ㄷ": "ㄷ", "ㅂ": "ㅂ", "ㅅ": "ㅅ", "ㅎ": "ㅎ"}[_final(self.stem)]


def _join(stem: str, kind: str, ending: str) -> str:
    if ending[0] in "어었":
        infinitive = _infinitive(stem, kind)
        return (infinitive if ending[0] == "어" else _with(infinitive, final="ㅆ")) + ending[1:]
    if ending[0] in "으은을읍":
        return _after_eu(stem, kind, ending)
    drops_l = kind == "ㄹ" and ending[0] in "는네니느나습"
    base = _with(stem, final=" ") if drops_l else stem
    for long_form, final in (("는다", "ㄴ"), ("습니", "ㅂ")):
        if ending.startswith(long_form) and _final(base) == " ":
            return _with(base, final=final) + ending[1:]
    return base + ending


def _infinitive(stem: str, kind: str) -> str:
    """The form in -아/-어: 먹어, 가, 해, 도와, 들어, 지어, 파래, 몰라, 써, 이르러."""
    if kind == "ㅂ":
        return _with(stem, final=" ") + ("와" if stem[-1] in "돕곱" else "워")
    if kind == "ㄷ":
        return _with(stem, final="ㄹ") + _a_or_eo(stem)
    if kind == "ㅅ":
        return _with(stem, final=" ") + _a_or_eo(stem)
    if kind == "ㅎ":
        return _with(stem, vowel=_H_VOWEL[_vowel(stem)], final=" ")
    if kind == "러":
        return stem + "러"
    if kind == "르":
        return _with(stem[:-1], final="ㄹ") + {"아": "라", "어": "러"}[_a_or_eo(stem[:-1])]
    if kind == "으":
        before = stem[:-1].rstrip()
        # 따라, 바빠: the vowel before decides; 써 and "편지를 써" have none in the word.
        bright = before and stem[-2] != " " and _a_or_eo(before) == "아"
        return _with(stem, vowel="ㅏ" if bright else "ㅓ")
    if kind == "regular" or _final(stem) != " ":
        return stem + _a_or_eo(stem)
    if stem[-1] == "하":
        return _with(stem, vowel="ㅐ")
    if _vowel(stem) in _ABSORBED:
        return stem
    if _vowel(stem) in _CONTRACTED:
        return _with(stem, vowel=_CONTRACTED[_vowel(stem)])
    return stem + "어"


def _after_eu(stem: str, kind: str, ending: str) -> str:
    """Endings that begin with 으 after a consonant: -(으)면, -(으)ㄴ, -(으)ㄹ, -(으)시-."""
    final = _split(ending[0])[2]
    if kind == "ㅂ":
        base = _with(stem, final=" ") + "우"
    elif kind in ("ㄷ", "ㅅ"):
        return _with(stem, final="ㄹ" if kind == "ㄷ" else " ") + ending
    elif kind == "ㅎ":
        base = _with(stem, final=" ")
    elif kind == "ㄹ":
        base = _with(stem, final=" ") if final != " " or ending[1:2] in tuple("니시세셨") else stem
    elif _final(stem) == " ":
        base = stem
    else:
        return stem + ending
    return base + ending[1:] if final == " " else _with(base, final=final) + ending[1:]
