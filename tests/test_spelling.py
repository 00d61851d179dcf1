"""Spelling of what people read, in both languages; no network is used."""

import json
import re
from pathlib import Path

import pytest

from data_samples.makers.notebooks.heads import ROOT

ENGLISH = [
    path
    for pattern in (
        *("*.md", "*.toml", "*.yml", "CITATION.cff", "Makefile"),
        *(".github/**/*.md", ".github/**/*.yml", "data_samples/*.md", "data_samples/*.yaml"),
        *("notebooks/*.md", "notebooks/*.ipynb", "gemma_ko_lib/**/*.py", "data_samples/**/*.py"),
    )
    for path in sorted(ROOT.glob(pattern))
]
KOREAN = [ROOT / "README.ko.md", ROOT / "notebooks" / "GLOSSARY.md"]
KOREAN += sorted((ROOT / "notebooks" / "ko").glob("*.ipynb"))

# A web site, subscripts of einsum, an option of matplotlib.
NO_MISTAKES = "brunch,nd,thi,whis"

# As 한글 맞춤법 and 외래어 표기법 have it: wrong:right.
PAIRS = """
되요:돼요 되서:돼서 됬:됐 안돼:안_돼 않되:안_되 않돼:안_돼 돼는:되는 돼고:되고 돼지_않:되지_않
할께:할게 줄께:줄게 볼께:볼게 뵈요:봬요 바래요:바라요 놀래요:놀라요 모르겟:모르겠 하겟:하겠
몇일:며칠 어떻해:어떡해 왠만:웬만 웬지:왠지 금새:금세 역활:역할 오랫만:오랜만 어의없:어이없
일일히:일일이 곰곰히:곰곰이 깨끗히:깨끗이 틈틈히:틈틈이 번번히:번번이 갯수:개수 댓가:대가
촛점:초점 헛점:허점 소숫점:소수점 윗층:위층 뒷편:뒤편 뒷쪽:뒤쪽 꼭지점:꼭짓점 최대값:최댓값
최소값:최솟값 기대값:기댓값 절대값:절댓값 초기값:초깃값 근사값:근삿값 대표값:대푯값 함수값:함숫값
결과값:결괏값 메세지:메시지 컨텐츠:콘텐츠 데이타:데이터 매커니즘:메커니즘 디렉토리:디렉터리
라이센스:라이선스 메뉴얼:매뉴얼 스케쥴:스케줄 타겟:타깃 컨셉:콘셉트 싸이트:사이트 엑세스:액세스
어플리케이션:애플리케이션 레포트:리포트 캐쉬:캐시 릴리즈:릴리스 쓰레드:스레드
때_마다:때마다 것_처럼:것처럼 안하고:안_하고 안해요:안_해요 뿐만아니라:뿐만_아니라
"""
MISSPELT = dict(pair.replace("_", " ").split(":") for pair in PAIRS.split())
# A syllable that ends in ㄹ, then a word that stands apart: 할 수 있다. 실수, 필수, 홀수 are nouns.
_RIEUL = "".join(map(chr, range(ord("가") + 8, ord("힣") + 1, 28)))
MISSPELT[f"(?![실필홀])[{_RIEUL}](?:수 [있없]|것[같 ])"] = "수, 것 apart"


def text_of(path: Path) -> str:
    """A file's text; of a notebook what it says, not what it printed."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def misspelt_korean(text: str) -> list[str]:
    prose = re.sub(r"```.*?```|`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”", "", text, flags=re.S)
    return [
        f"{found[0]!r}: {right}"
        for wrong, right in MISSPELT.items()
        for found in re.finditer(f"[^\n]{{0,12}}(?:{wrong})[^\n]{{0,8}}", prose)
    ]


def misspelt_english(paths: list[Path], folder: Path, capsys) -> list[str]:
    codespell = pytest.importorskip("codespell_lib")
    for path in paths:
        copy = folder / f"{'_'.join(path.parts[-3:])}.txt"
        copy.write_text(text_of(path), "utf-8")
    codespell.main("--ignore-words-list", NO_MISTAKES, str(folder))
    return capsys.readouterr().out.splitlines()


def test_the_english_is_spelt_right(tmp_path, capsys):
    assert misspelt_english(ENGLISH, tmp_path, capsys) == []


def test_a_misspelt_english_word_is_found(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("Wich recieve the untill, and which receive it until.\n", "utf-8")
    assert len(misspelt_english([page], tmp_path, capsys)) == 2 * 3  # the page and its copy


@pytest.mark.parametrize("path", KOREAN, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_korean_is_spelt_right(path):
    assert misspelt_korean(text_of(path)) == []


def test_a_misspelt_korean_word_is_found_and_a_right_one_is_not():
    wrong = "이렇게 하면 되요.\n몇일 걸릴지.\n할수 있어요.\n갯수와\n최대값과\n메세지."
    assert len(misspelt_korean(wrong)) == 6
    right = "이렇게 하면 돼요. 며칠 걸릴 수 있어요. 실수 없이, 개수와 최댓값과 메시지. `최대값`"
    assert misspelt_korean(right) == []
