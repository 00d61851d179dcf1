"""The models that a learner builds, each exported from the notebook that teaches it.

    gemma: Gemma 1, 2 and 3 in Flax NNX: one decoder, configured, with a KV cache (02)
    gemma1: Gemma 1 in Flax NNX: tokens in, next-token logits out (01)
    generation: Text generation for the from-scratch Gemma: prompts in, new token ids out (02)
    int8: The from-scratch Gemma with weights and KV cache in eight bits, for decoding (02)
    paligemma: PaliGemma in Flax NNX: an image and a prompt in, the answer's logits out (03b)
    recall: Recall at a distance: a small task that asks what stood some tokens back (03a)
    recurrent_gemma: RecurrentGemma in Flax NNX: tokens and state in, logits and new state out (03a)
"""
