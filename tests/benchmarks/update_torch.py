"""transformers' and PEFT's side of `update`: run by an interpreter that has torch and both.

`PYTHON update_torch.py SETTING` takes the shape and sizes as JSON; each line on stdin asks for
one update, answered by "done".
"""

import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import Gemma3ForCausalLM, Gemma3TextConfig


def _model(shape: dict):
    layers = shape["num_layers"]
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=shape["vocabulary_size"],
            hidden_size=shape["hidden_dim"],
            intermediate_size=shape["intermediate_dim"],
            num_hidden_layers=layers,
            num_attention_heads=shape["num_query_heads"],
            num_key_value_heads=shape["num_key_value_heads"],
            head_dim=shape["head_dim"],
            query_pre_attn_scalar=shape["head_dim"],
            sliding_window=shape["sliding_window_size"],
            layer_types=[
                "sliding_attention" if (i + 1) % 6 else "full_attention" for i in range(layers)
            ],
            use_cache=False,
        )
    )


def main() -> None:
    """Answer turns until stdin ends."""
    setting = json.loads(sys.argv[1])
    torch.manual_seed(0)
    model = _model(setting["shape"])
    if setting["rank"]:
        rank = setting["rank"]
        model = get_peft_model(
            model, LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear")
        )
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    shape = (setting["rows"], setting["length"])
    for _ in sys.stdin:
        tokens = torch.randint(3, setting["shape"]["vocabulary_size"], shape)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        print("done", flush=True)


if __name__ == "__main__":
    main()
