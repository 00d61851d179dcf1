"""A conversation with a model in a terminal."""

from collections.abc import Callable, Sequence

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving.engine import Engine, typed

NOT_A_CHAT = (
    "{name} was not trained to chat: it has read texts, and continues yours. A model that answers "
    "comes out of gemma-ko finetune."
)


class _ContextFull(UserError):
    """What was asked is longer than the context."""


class Conversation:
    """The turns so far, in the template that the model's file carries.

    Attributes:
        messages: {"role", "content"} each, the oldest first.
        forgotten: turns that were dropped because the context was full.
    """

    def __init__(self, engine: Engine, **request):
        """Begin without a turn.

        Args:
            engine: the model.
            request: more fields of each request, such as temperature or max_tokens.
        """
        self.engine, self._request = engine, request
        self.messages: list[dict[str, str]] = []
        self.forgotten = 0

    def say(self, text: str, show: Callable[[str], None]) -> str:
        """Say something, and hear the answer.

        Where the model was not trained to chat, it continues the text, without what was before.

        Args:
            text: of the person.
            show: called with each piece of the answer as it comes; one that raises
                KeyboardInterrupt ends the answer there.

        Returns:
            The whole answer.

        Raises:
            UserError: the text is not UTF-8, alone longer than the context, or refused by
                llama.cpp for another reason; the conversation is then as it was before.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"'{text[:40]}' is not UTF-8. Convert the text first, of a file by: "
                "iconv -f CP949 -t UTF-8 FILE | gemma-ko chat MODEL."
            ) from None
        if not self.engine.chat:
            request = {**self._request, "prompt": text}
            return _stream(self.engine.server.handle_completions, request, show)
        self.messages.append({"role": "user", "content": text})
        while True:
            try:
                answer = _stream(
                    self.engine.server.handle_chat_completions,
                    {**self._request, "messages": typed(self.messages)},
                    show,
                )
            except _ContextFull:
                if len(self.messages) == 1:
                    self.messages.clear()
                    raise
                del self.messages[:2]  # the oldest question and its answer
                self.forgotten += 2
            except UserError:
                self.messages.pop()
                raise
            else:
                self.messages.append({"role": "assistant", "content": answer})
                return answer


def ask(engine: Engine, questions: Sequence[str], max_tokens: int) -> list[str]:
    """Ask questions, each in a conversation of its own; the likeliest token, always.

    A model that was not trained to chat continues them.

    Args:
        engine: the model.
        questions: what the person says.
        max_tokens: where an answer that does not end is cut.

    Raises:
        UserError: a question is longer than the context.
    """
    how = {"temperature": 0, "max_tokens": max_tokens}
    return [Conversation(engine, **how).say(text, lambda part: None) for text in questions]


def _stream(handle, request: dict, show: Callable[[str], None]) -> str:
    parts, errors = [], []

    def take(event: dict) -> bool:
        """Whether to stop here: llama.cpp then drops the rest of the answer."""
        if "choices" not in event:
            errors.append(event.get("error", event))
            return True
        for choice in event["choices"]:
            part = choice["delta"].get("content") if "delta" in choice else choice["text"]
            if part:
                parts.append(part)
                try:
                    show(part)
                except KeyboardInterrupt:
                    return True
        return False

    handle({**request, "stream": True}, take)
    if errors:
        is_full = errors[0].get("type") == "exceed_context_size_error"
        refusal = _ContextFull if is_full else UserError
        raise refusal(f"llama.cpp refused it: {errors[0].get('message', errors[0])}.")
    return "".join(parts)


def talk(engine: Engine, read: Callable[[str], str], write: Callable[[str], None]) -> None:
    """Talk until the person leaves: an empty line ends it, `/new` begins again.

    Args:
        engine: the model.
        read: asks for a line, as `input` does.
        write: shows a piece of text, without a line break of its own.
    """
    write(
        f"{engine.name}: an empty line ends it, /new begins again, Ctrl-C ends an answer.\n"
        if engine.chat
        else NOT_A_CHAT.format(name=engine.name) + "\n"
    )
    conversation = Conversation(engine)
    while True:
        try:
            text = read("> ").strip()
        except (EOFError, KeyboardInterrupt):
            text = ""
        if not text:
            return
        if text == "/new":
            conversation = Conversation(engine)
            continue
        forgotten = conversation.forgotten
        try:
            conversation.say(text, write)
        except UserError as error:
            write(str(error))
        if conversation.forgotten > forgotten:
            write(f"\n(The context is full: {conversation.forgotten} old turns are forgotten.)")
        write("\n")
