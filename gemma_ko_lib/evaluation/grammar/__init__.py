"""The rules and words that `evaluation.minimal_pairs` makes its sentences from.

Each module of rules has `PHENOMENA`, a text of rules by phenomenon, and `TABLES`, the words that
only these rules use.
"""
