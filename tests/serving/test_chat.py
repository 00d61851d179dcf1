"""A conversation keeps its turns, forgets the oldest when it must, and says what it cannot."""

import pytest

from gemma_ko_lib import cli
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving import chat, engine

pytest.importorskip("xllamacpp")


@pytest.fixture(scope="module")
def engines(tiny):
    return {
        name: engine.load(name, tiny / f"{name}.gguf", slots=1, context=256, threads=1, queue=0)
        for name in ("base", "chat")
    }


def _talk(engine, lines: list[str]) -> str:
    shown, lines = [], iter(lines)
    chat.talk(engine, lambda prompt: next(lines, ""), shown.append)
    return "".join(shown)


def test_turns_alternate_and_stay(engines):
    conversation = chat.Conversation(engines["chat"])
    before = [{"role": "user", "content": "비"}, {"role": "assistant", "content": "눈"}]
    conversation.messages = list(before)
    shown = []
    answer = conversation.say("해", shown.append)
    assert "".join(shown) == answer
    said = [{"role": "user", "content": "해"}, {"role": "assistant", "content": answer}]
    assert conversation.messages == before + said


def test_a_full_context_forgets_the_oldest_turns(engines):
    conversation = chat.Conversation(engines["chat"])
    conversation.messages = [
        {"role": "user", "content": "비" * 230},
        {"role": "assistant", "content": "그래요"},
    ]
    conversation.say("눈", lambda part: None)
    assert conversation.forgotten == 2
    assert conversation.messages[0]["content"] == "눈"


def test_a_text_over_the_context_is_refused_and_forgotten(engines):
    conversation = chat.Conversation(engines["chat"])
    with pytest.raises(UserError, match="exceeds the available context"):
        conversation.say("비" * 400, lambda part: None)
    assert conversation.messages == []
    assert "exceeds" in _talk(engines["chat"], ["비" * 400])


def test_a_text_that_is_not_utf8_is_refused_and_the_talk_goes_on(engines):
    said = _talk(engines["chat"], ["\udcb0\udca1", "비"])
    assert "is not UTF-8" in said and said.count("\n") > 2
    with pytest.raises(UserError, match="iconv"):
        chat.ask(engines["base"], ["\udcb0\udca1"], 2)


def test_a_refusal_for_another_reason_forgets_no_turn(engines):
    before = [{"role": "user", "content": "비"}, {"role": "assistant", "content": "눈"}]
    conversation = chat.Conversation(engines["chat"], grammar="root ::= (")
    conversation.messages = list(before)
    with pytest.raises(UserError, match="refused"):
        conversation.say("해", lambda part: None)
    assert conversation.messages == before
    assert conversation.forgotten == 0


def test_an_answer_can_be_ended(engines):
    conversation = chat.Conversation(engines["base"])
    shown = []

    def show(part: str) -> None:
        shown.append(part)
        raise KeyboardInterrupt

    assert conversation.say("비", show) == shown[0]
    assert len(shown) == 1


def test_a_model_without_training_to_chat_says_so(engines):
    said = _talk(engines["base"], ["비"])
    assert said.startswith("base was not trained to chat")
    assert "gemma-ko finetune" in said
    assert "not trained" not in _talk(engines["chat"], ["비", "/new", "눈"])


@pytest.mark.parametrize(("name", "told"), [("base", True), ("chat", False)])
def test_an_answer_of_a_base_model_is_called_a_continuation(
    name, told, engines, monkeypatch, capsys
):
    monkeypatch.setattr(engine, "named", lambda models: {name: models[0]})
    monkeypatch.setattr(engine, "load", lambda *given, **how: engines[name])
    assert cli.main(["chat", name, "--ask", "비", "--answer-tokens", "2"]) == 0
    assert ("base was not trained to chat" in capsys.readouterr().err) == told


def test_questions_are_asked_each_by_itself(engines):
    alone = chat.ask(engines["chat"], ["눈"], max_tokens=4)
    assert chat.ask(engines["chat"], ["비", "눈"], max_tokens=4)[1:] == alone
    assert len(chat.ask(engines["base"], ["비"], max_tokens=4)) == 1
