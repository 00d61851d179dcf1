"""The rules and words that data_samples/grammar.jsonl and grammar_en.jsonl are made from."""
