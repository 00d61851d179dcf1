"""API keys, tokens and private keys: plain text in, places in it out.

Each kind is known by what its maker puts in front: sk- (OpenAI, Anthropic), AKIA (AWS), ghp_
(GitHub), xoxb- (Slack), eyJ (JSON Web Tokens, RFC 7519), -----BEGIN … PRIVATE KEY-----
(RFC 7468). A password or a key without such a mark looks like any other word.
"""

import re
from collections.abc import Iterator

_HINT = re.compile(
    "sk[-_]|rk_live|AKIA|ASIA|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|slack|eyJ|AIza|hf_|npm_|PRIVATE"
)
_SECRET = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    # A number in it, and a run without hyphens: "sk-hynix-annual-report-2024" is a page.
    r"sk-(?=[\w-]{0,60}?[A-Za-z0-9_]{16})(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{20,400}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,100}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[opsur]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,100}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,2000}"
    r"|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,60}|npm_[A-Za-z0-9]{36}"
    r")(?![A-Za-z0-9_-])"
    r"|(?<=hooks\.slack\.com/services/)T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,40}"
    # With its end, or as far as its lines are those of a key.
    r"|-----BEGIN (?P<what>[A-Z0-9 ]{0,30}PRIVATE KEY)-----"
    r"(?:(?:(?!-----)[\s\S]){1,20000}-----END (?P=what)-----|(?:\s*+[A-Za-z0-9+/=]{16,100})++)"
)
# What a surrogate keeps: the marks by which it is known.
MARKS = re.compile(
    r"-----[A-Z0-9 ]+-----|\A(?:sk-(?:proj-|ant-|svcacct-)?|[sr]k_(?:live|test)_|AKIA|ASIA"
    r"|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|eyJ|AIza|hf_|npm_|[TB](?=[A-Z0-9]))|(?<=/)B"
)


def find_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where keys and tokens stand, whole, with the lines of a private key.

    Example: "OPENAI_API_KEY=sk-proj-…" → the place of "sk-proj-…".
    """
    if _HINT.search(text):
        for match in _SECRET.finditer(text):
            yield match.span()
