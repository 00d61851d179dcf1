"""trimbed's side of `cut`: run by an interpreter that has trimbed, once.

`PYTHON cut_trimbed.py SETTING` takes, as JSON, a tokenizer.json, how often each id occurs in some
texts, how many pieces to keep, and where the tokenizer.json of these pieces goes.
"""

import json
import sys
from pathlib import Path

from transformers import PreTrainedTokenizerFast
from trimbed import CorpusCounts, SelectionConfig, TokenizerSpec, select_tokens
from trimbed.tokenizer_trim import build_trimmed_model

if __name__ == "__main__":
    setting = json.loads(sys.argv[1])
    counts = {int(i): n for i, n in json.loads(Path(setting["counts"]).read_text()).items()}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=setting["tokenizer"],
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
    spec = TokenizerSpec.from_tokenizer(tokenizer, source=setting["tokenizer"])
    read = CorpusCounts(counts=counts, total_num_tokens=sum(counts.values()))
    wanted = SelectionConfig(min_count=1, max_vocab_size=setting["pieces"])
    kept = select_tokens(spec, read, wanted).kept_ids
    trimmed = build_trimmed_model(spec, kept).to_tokenizer()
    Path(setting["out"]).write_text(trimmed.to_str(), encoding="utf-8")
