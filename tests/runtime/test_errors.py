"""What a program prints of others' names and texts."""

import json

from gemma_ko_lib.runtime import printable


def test_a_printed_text_moves_no_cursor_and_keeps_its_lines():
    assert printable("가\x1b]0;title\x07\r\n\tb") == "가\\x1b]0;title\\x07\\r\n\tb"


def test_a_printed_line_of_json_still_holds_the_same_text():
    text = 'a\x7f\x85\u202e\x1b"\\'
    line = printable(json.dumps(text, ensure_ascii=False))
    assert line.isprintable() and json.loads(line) == text
