r"""What the rules leave as it stands: code, formulas, and the line that underlines a heading.

Indentation is meaning in Python, "a<b>c" is a comparison in a formula, "~~~~" is a heading's
underline. `hide` puts a mark in the place of each such part, so that no rule sees it, and
`restore` puts the parts back.
"""

import re
from collections.abc import Callable

from gemma_ko_lib.corpus.cleaning.rewriting import INVISIBLE

# No text without the second has code, and none without the first has anything to hide. Every
# alternative starts with a literal, which `re` skips to.
_SIGN_OF_CODE = r";\n|\{\n|\}\n|:\n(?:  |\t)|=(?<= =) |>>> |\$(?<=\n\$) |import "
_SIGN = re.compile(rf"`|\$|\\|~~~(?<=\n~~~)|\^\^\^(?<=\n\^\^\^)|{_SIGN_OF_CODE}")
_SIGN_OF_CODE = re.compile(_SIGN_OF_CODE)
_PART = re.compile(
    r"(?<=\S\n)(?:~{3,}+|\^{3,}+)$"
    r"|`[^`\n]{1,200}`"
    r"|\$\$[^$]{1,2000}\$\$|\$(?=[^\s$])[^$\n]{0,200}(?<=[^\s\\])\$(?![0-9])"
    r"|\\\((?:(?!\\[()]).){1,500}\\\)|\\\[(?:(?!\\[\[\]])[^\0]){1,2000}\\\]"
    r"|\\begin\{([a-z*]{1,20})\}(?:(?!\\begin\{)[^\0]){0,4000}?\\end\{\1\}",
    re.MULTILINE,
)
_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)([^`]*+)")

# Outside of strings and comments, code is ASCII.
_CODE = r"(?:[ !#-&(-~\t]++|\"[^\"]*+\"|'[^']*+')"
_BLOCK = "def|class|if|elif|else|for|while|try|except|finally|with|async|match|case"
_CODE_LINE = re.compile(
    r"[ \t]*+(?:>>> .*|\$ [a-z./].*|#include\b.*|@[A-Za-z_.]++(?:\(.*\))?"
    r"|(?:import|from) [\w.]++(?: import .*| as \w++)?"
    rf"|(?:{_BLOCK})\b(?=.*:[ \t]*+(?:\#|$)){_CODE}++.*"
    rf"|(?=.*[;{{}}][)\]]*+,?[ \t]*+(?://|/\*|\#|$)){_CODE}++"
    rf"|[A-Za-z_][A-Za-z0-9_.\[\]]*+(?: ?[-+*/|]?= ?(?! )|(?=\(.*\)[ \t]*+$)){_CODE}++"
    rf"|return\b{_CODE}*+"
    r")(?:(?://|/\*|\#).*)?"
)
_INDENTED = ("  ", "\t")
_FEWEST_CODE_LINES = 2
_LONGEST_CODE_LINE = 500

# Noncharacters, which no text may hold in exchange (Unicode 23.7), around a part's number.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


def hide(text: str, parts: list[str], code: bool = True) -> str:
    """Put a mark in the place of each part that is code or a formula.

    Args:
        text: a text, perhaps with marks already.
        parts: what the marks stand for; new parts are added to it.
        code: look for code without a fence too.

    Example: of "식 $a<b>c$ 이다", "식 … 이다" is left, and the formula is in `parts`.
    """
    if not parts and not text.isascii():
        text = text.replace(_OPEN, "").replace(_CLOSE, "")
    if not _SIGN.search(text):
        return text
    has_code = code and "\n" in text and _SIGN_OF_CODE.search(text)
    text = text.replace("\r\n", "\n")

    def mark(part: str) -> str:
        parts.append(INVISIBLE.sub("", part))
        return f"{_OPEN}{len(parts) - 1}{_CLOSE}"

    if "\n" in text:
        lines = _hide_fences(text.split("\n"), mark)
        text = "\n".join(_hide_code(lines, mark) if has_code else lines)
    return _PART.sub(lambda match: mark(match[0]), text)


def restore(text: str, parts: list[str]) -> str:
    """Put hidden parts back; a mark that a rule took out stays out."""
    while parts and _OPEN in text:
        before = text
        text = _MARK.sub(lambda match: parts[int(match[1])], text)
        if text == before:
            break
    return text


def _hide_fences(lines: list[str], mark: Callable[[str], str]) -> list[str]:
    """Hide what stands from a fence to the next that closes it, both included."""
    kept: list[str] = []
    opened, closing = None, ""
    for line in lines:
        fence = _FENCE.fullmatch(line)
        kept.append(line)
        if fence is None:
            continue
        if opened is None:
            opened, closing = len(kept) - 1, fence[1]
        elif fence[1].startswith(closing) and not fence[2].strip():
            kept[opened:] = [mark("\n".join(kept[opened:]))]
            opened = None
    return kept


def _hide_code(lines: list[str], mark: Callable[[str], str]) -> list[str]:
    """Hide blocks of lines that are code, with the indented and empty lines between them."""
    kept: list[str] = []
    first = last = code_lines = 0  # of the block: its lines in `kept`, and how many are code
    for line in [*lines, "가"]:
        is_code = len(line) <= _LONGEST_CODE_LINE and bool(_CODE_LINE.fullmatch(line))
        if not is_code and line and not (code_lines and line.startswith(_INDENTED)):
            if code_lines >= _FEWEST_CODE_LINES:
                kept[first:last] = [mark("\n".join(kept[first:last]))]
            code_lines = 0
        elif line:
            first = first if code_lines else len(kept)
            code_lines += is_code
            last = len(kept) + 1
        kept.append(line)
    return kept[:-1]
