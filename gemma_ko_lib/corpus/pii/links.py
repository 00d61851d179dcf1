"""Links: plain text in, places of those to a person's page out, or of all on request.

Not every link is personal: one to an office's page stays. A link to a blog, café, channel or
open chat is looked for from its host's last part and slash, and from there back over a window
of fixed length.
"""

import re
from collections.abc import Iterator

_ID = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*|[가-힣][가-힣A-Za-z0-9_.\-]*|%[A-Fa-f0-9%]{2,}[A-Za-z0-9_%]*"
_HOSTS = (
    r"(?:m\.)?blog\.naver\.com/(?:PostView\.(?:naver|nhn)\?[^\s]{0,40}?blogId=)?"
    r"|(?:m\.)?cafe\.naver\.com/|in\.naver\.com/|smartstore\.naver\.com/|kin\.naver\.com/profile/"
    r"|(?:m\.)?post\.naver\.com/(?:my\.(?:naver|nhn)\?memberNo=)?|(?:m\.)?cafe\.daum\.net/"
    r"|blog\.daum\.net/|open\.kakao\.com/(?:o|me)/|pf\.kakao\.com/|story\.kakao\.com/(?:ch/)?"
    r"|qr\.kakaopay\.com/|toss\.me/|brunch\.co\.kr/@|velog\.io/@|band\.us/@?(?:n/|band/)?"
    r"|instagram\.com/(?!(?:p|reel|reels|tv|explore|accounts|about|legal|stories)\b)"
    r"|threads\.(?:net|com)/@|tiktok\.com/@|twitch\.tv/|soundcloud\.com/|linktr\.ee/|litt\.ly/"
    r"|(?:m\.)?facebook\.com/(?!(?:groups|events|watch|share|sharer|pages|help|policies|legal"
    r"|login|privacy|plugins|dialog|tr|business|[a-z]{1,12}\.php\b(?!\?id=))\b)(?:profile\.php\?id=)?"
    r"|fb\.com/|(?:mobile\.)?(?:twitter|x)\.com/(?!(?:home|search|hashtag|share|intent|i|explore"
    r"|login|privacy|tos)\b)@?"
    r"|youtube\.com/(?:@|c/|user/|channel/)|linkedin\.com/in/|t\.me/(?:joinchat/|\+)?"
    r"|line\.me/(?:ti/p/|R/ti/p/)~?|medium\.com/@|pinterest\.(?:com|co\.kr)/(?!pin\b)"
    r"|bj\.afreecatv\.com/|(?:ch|play)\.sooplive\.co\.kr/|chzzk\.naver\.com/"
    r"|github\.com/(?=[A-Za-z0-9-]+/?(?![A-Za-z0-9/_.-]))"
    r"|cyworld\.com/|ask\.fm/|curiouscat\.(?:me|live)/|behance\.net/"
    # Anywhere: what follows /@, /~, /users/ …, and a blog's first folder.
    r"|(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,6}/(?:[a-z0-9_-]{1,30}/){0,2}"
    r"(?:[@~]|(?:users?|u|profiles?|members?|channel|artist|author)/"
    r"(?!(?:login|logout|join|sign|register|find|edit|settings|list|index|info|main|view|agree)))"
    r"|(?:m\.)?(?:blog|portfolio)(?:\.[a-z0-9-]{1,30}){2,3}/"
    r"(?!(?:category|tags?|archives?|posts?|entry|search|feed|about|wp-[a-z]+|[0-9]+)\b)"
)
_HOST = re.compile(rf"(?:https?://|(?<![A-Za-z0-9.-]))(?:www\.)?(?:{_HOSTS})", re.IGNORECASE)
_LINK_CHARACTER = r"[A-Za-z0-9\-._~:/?#@!$&'*+,;=%]"
_KOREAN_PATH = r"(?<=/)[가-힣]++(?:[-_][가-힣0-9]++)*"
_HANDLE = re.compile(rf"(?:{_ID})(?:{_LINK_CHARACTER}|{_KOREAN_PATH})*")
# From the host's last part to where its handle starts, and back to where it starts.
_AHEAD, _BACK = 80, 40
_HOST_CHARACTERS = re.compile(r"[A-Za-z0-9:/.-]*\Z")
_HOST_SIGN = re.compile(r"\.(?:com|net|org|kr|io|us|me|tv|ee|ly|fm|live|site)/", re.IGNORECASE)
_OWN_HOST = re.compile(
    r"(?:https?://)?(?:m\.)?(?P<handle>[A-Za-z0-9][A-Za-z0-9-]{0,62})\.(?:tistory\.com|blog\.me|egloos\.com|wordpress\.com|medium\.com|substack\.com"
    r"|blogspot\.(?:com|kr)|git(?:hub|lab)\.io|hashnode\.dev|modoo\.at|creatorlink\.net|notion\.site|oopy\.io"
    r"|wixsite\.com|weebly\.com|neocities\.org|pe\.kr)(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
    r"(?:[/?#:][A-Za-z0-9\-._~:/?#@!$&'*+,;=%]*)?",
    re.IGNORECASE,
)
_OWN_SIGN = re.compile(
    r"\.(?:tistory|blog\.me|egloos|wordpress|medium|substack|blogspot|git(?:hub|lab)\.io|hashnode|modoo"
    r"|creatorlink|notion\.site|oopy|wixsite|weebly|neocities|pe\.kr)",
    re.IGNORECASE,
)
_NOT_HANDLES = {"www", "m", "blog", "notice", "support", "ko", "en"}
_PARTICLE = re.compile(
    r"(?:입니다|이에요|예요|이네요|이고|이며|으로|에서|에게|까지|부터|처럼|이나|로|에|를|을|는|은|가|와|과|의|도|이)\Z"
)
_LINK_END = ".,;:!?'*~"


def _trim(link: str) -> str:
    """A link without the sentence's punctuation and particles."""
    link = link.rstrip(_LINK_END)
    if "가" <= link[-1] <= "힣":
        # A Korean handle: "…/@하늘채널에서".
        shorter = _PARTICLE.sub("", link)
        if re.search(r"(?:[가-힣]{2}|/)\Z", shorter):
            return shorter
    return link


def find_links(text: str) -> Iterator[tuple[int, int]]:
    """Where links to a person's page stand, without particles and the sentence's punctuation."""
    if "/" in text:
        done = 0
        for sign in _HOST_SIGN.finditer(text):
            before = _HOST_CHARACTERS.search(text[max(sign.start() - _BACK, done) : sign.start()])
            start = sign.start() - len(before[0])
            host = _HOST.search(text, start, sign.end() + _AHEAD)
            if host is None or host.start() >= sign.end():
                continue
            if handle := _HANDLE.match(text, host.end()):
                done = host.end() + len(_trim(handle[0]))
                yield host.start(), done
    if _OWN_SIGN.search(text):
        for link in _OWN_HOST.finditer(text):
            if link["handle"].lower() not in _NOT_HANDLES:
                yield link.start(), link.start() + len(_trim(link[0]))


def split_link(link: str) -> tuple[str, str, str, str]:
    """A found link as (what is before the handle, the handle, own host's domain, the rest)."""
    if own := _OWN_HOST.match(link):
        start, end = own.span("handle")
        domain = re.match("[^/?#:]*", link[end:])[0]
        return link[:start], link[start:end], domain, link[end + len(domain) :]
    if host := _HOST.match(link):
        return host[0], link[host.end() :], "", ""
    return re.match(r"([A-Za-z]+://)?(.*?)(\.[^./]*)?([/?#:].*)?$", link).groups("")


_EVERY = re.compile(
    rf"(?:(?:https?|ftp)://|(?<![\w@.-])www\.)[^\s\"'<>()\[\]{{}}가-힣\x1a]++(?:{_KOREAN_PATH}|\([\w%-]{{1,60}}\)|{_LINK_CHARACTER})*+"
    rf"|(?<![\w@./-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:com|net|org|kr|io|me|tv|us|jp|cn|edu|gov|info|biz|dev)"
    rf"(?:(?=/)(?:{_KOREAN_PATH}|{_LINK_CHARACTER})++|(?![A-Za-z0-9@-]|\.[A-Za-z0-9]))",
    re.IGNORECASE,
)
_EVERY_SIGN = re.compile(r"://|www\.|[A-Za-z0-9]\.[A-Za-z]{2}", re.IGNORECASE)


def find_all_links(text: str) -> Iterator[tuple[int, int]]:
    """Where URLs stand, whoever they lead to, and bare names of hosts.

    Example: "http://news.example.com/a/1에서" → the place of "http://news.example.com/a/1".
    """
    if _EVERY_SIGN.search(text):
        for link in _EVERY.finditer(text):
            yield link.start(), link.start() + len(_trim(link[0]))


_IN_LINK = re.compile(r"(?:://|www\.)[A-Za-z0-9\-._~:/?#@!$&*+;=%]*\Z")
_LONGEST_LINK = 300


def is_in_link(text: str, place: int) -> bool:
    """Whether what stands at a place belongs to a link, where numbers are the site's own."""
    return _IN_LINK.search(text, max(place - _LONGEST_LINK, 0), place) is not None
