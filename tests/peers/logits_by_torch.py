"""Logits of transformers folders by transformers on torch: `python logits_by_torch.py JOBS.json`.

JOBS.json: [{"base": folder, "adapter": folder or null, "ids": [[…]], "out": file.npy}, …]. It runs
in an environment of its own, with torch, transformers and peft and without this library.
"""

import json
import sys

import numpy as np
import torch
import transformers


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            job["base"], dtype=torch.float32, attn_implementation="eager"
        )
        if job["adapter"]:
            import peft

            model = peft.PeftModel.from_pretrained(model, job["adapter"])
        with torch.no_grad():
            logits = model.eval()(torch.tensor(job["ids"])).logits
        np.save(job["out"], logits.numpy())
        tokenizer = transformers.AutoTokenizer.from_pretrained(job["base"])
        with open(f"{job['out']}.json", "w", encoding="utf-8") as file:
            json.dump([tokenizer(text).input_ids for text in job["texts"]], file)


if __name__ == "__main__":
    main(sys.argv[1])
