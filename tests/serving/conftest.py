"""Models of some thousand random weights as GGUF files: one that chats, one that does not."""

import gguf
import numpy as np
import pytest

WIDTH, HIDDEN, HEAD, LAYERS = 32, 64, 32, 2
_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n"
    "{{ message.content }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def write_tiny_gguf(path, chat: bool) -> None:
    """Write a random Gemma 3 whose pieces are bytes, with or without a turn template."""
    kinds = gguf.TokenType
    pieces = [("<pad>", kinds.CONTROL), ("<eos>", kinds.CONTROL), ("<bos>", kinds.CONTROL)]
    pieces += [("<unk>", kinds.UNKNOWN), ("<start_of_turn>", kinds.CONTROL)]
    pieces += [("<end_of_turn>", kinds.CONTROL)]
    pieces += [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
    pieces += [("▁", kinds.NORMAL), ("비", kinds.NORMAL)]
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_sliding_window(64)
    writer.add_rope_freq_base(1e6)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([text for text, _ in pieces])
    writer.add_token_scores([-float(i) for i in range(len(pieces))])
    writer.add_token_types([kind for _, kind in pieces])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    if chat:
        writer.add_eot_token_id(5)
        writer.add_chat_template(_TEMPLATE)
    draw = np.random.default_rng(0)
    shapes = {"token_embd": (len(pieces), WIDTH), "output_norm": (WIDTH,)}
    for block in range(LAYERS):
        shapes |= {
            f"blk.{block}.{name}": shape
            for name, shape in {
                "attn_norm": (WIDTH,),
                "attn_q": (2 * HEAD, WIDTH),
                "attn_k": (HEAD, WIDTH),
                "attn_v": (HEAD, WIDTH),
                "attn_q_norm": (HEAD,),
                "attn_k_norm": (HEAD,),
                "attn_output": (WIDTH, 2 * HEAD),
                "post_attention_norm": (WIDTH,),
                "ffn_norm": (WIDTH,),
                "ffn_gate": (HIDDEN, WIDTH),
                "ffn_up": (HIDDEN, WIDTH),
                "ffn_down": (WIDTH, HIDDEN),
                "post_ffw_norm": (WIDTH,),
            }.items()
        }
    for name, shape in shapes.items():
        scale = np.ones(shape) if len(shape) == 1 else draw.normal(0, 0.1, shape)
        writer.add_tensor(f"{name}.weight", scale.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder with `base.gguf` and `chat.gguf`."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_gguf(folder / "base.gguf", chat=False)
    write_tiny_gguf(folder / "chat.gguf", chat=True)
    return folder
