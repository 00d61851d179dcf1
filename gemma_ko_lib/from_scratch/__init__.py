"""The models that a learner builds, each exported from the notebook that teaches it.

    gemma1: Gemma 1 in Flax NNX: tokens in, next-token logits out (01)
"""
