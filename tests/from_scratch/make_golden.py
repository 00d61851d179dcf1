"""Golden logits of google-deepmind/recurrentgemma for weights that anybody can draw again.

    pip install recurrentgemma==1.0.1 einops jaxtyping typeguard   # in an environment of its own
    python -m tests.from_scratch.make_golden

writes recurrent_gemma.npz beside this file: logits only. Weights and tokens come from seeds, by
the recipe below, so that the tests need NumPy and no other implementation.
"""

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("recurrent_gemma.npz")

# Small, and in no two numbers alike, so that a swapped axis cannot pass.
CASES = {
    "one_group": {"num_layers": 3, "d_model": 16, "num_heads": 2, "lru_width": 16, "window": 4},
    "wide_recurrence": {
        "num_layers": 5,
        "d_model": 12,
        "num_heads": 3,
        "lru_width": 24,
        "window": 7,
    },
    "two_groups": {"num_layers": 6, "d_model": 32, "num_heads": 4, "lru_width": 32, "window": 16},
}
VOCABULARY, FFN, BATCH, LENGTH, PROMPT = 41, 20, 3, 33, 21


def positions_of(kind: str) -> np.ndarray:
    """int32 [BATCH, LENGTH]: places within the documents of each row; a 0 starts one.

    "whole": a document a row. "packed": several documents a row, some of one token. "padded":
    rows of different lengths, padded on the left with position 0.
    """
    lengths = {
        "whole": [[33], [33], [33]],
        "packed": [[9, 24], [1, 1, 5, 26], [17, 3, 2, 11]],
        "padded": [[1] * 20 + [13], [33], [1] * 31 + [2]],
    }[kind]
    return np.array([[p for n in row for p in range(n)] for row in lengths], "int32")


def tokens(seed: int) -> np.ndarray:
    """int32 [BATCH, LENGTH]."""
    return np.random.default_rng(seed).integers(0, VOCABULARY, (BATCH, LENGTH), "int32")


def seeded_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Weights by name, each from its own seed; large enough that every detail shows in logits."""
    return {
        name: np.random.default_rng([seed, number]).normal(0, 0.4, shapes[name]).astype("float32")
        for number, name in enumerate(sorted(shapes))
    }


def _published_model(case: dict):
    from recurrentgemma import common
    from recurrentgemma.jax import griffin

    kinds = common.TemporalBlockType
    blocks = [kinds.ATTENTION if i % 3 == 2 else kinds.RECURRENT for i in range(case["num_layers"])]
    return griffin.Griffin(
        common.GriffinConfig(
            vocab_size=VOCABULARY,
            width=case["d_model"],
            mlp_expanded_width=FFN,
            num_heads=case["num_heads"],
            block_types=tuple(blocks),
            embeddings_scale_by_sqrt_dim=True,
            attention_window_size=case["window"],
            logits_soft_cap=30.0,
            lru_width=case["lru_width"],
        )
    )


def main() -> None:
    """Write the golden file."""
    import jax
    import jax.numpy as jnp
    from flax import traverse_util

    golden = {}
    for seed, (name, case) in enumerate(CASES.items()):
        model = _published_model(case)
        row = jnp.asarray(tokens(seed))
        init = jax.eval_shape(
            model.init, jax.random.key(0), row, jnp.asarray(positions_of("whole"))
        )
        shapes = traverse_util.flatten_dict(init["params"], sep="/")
        weights = seeded_weights({key: value.shape for key, value in shapes.items()}, seed)
        params = {"params": traverse_util.unflatten_dict(weights, sep="/")}
        for kind in ("whole", "packed", "padded"):
            logits, _ = model.apply(params, row, jnp.asarray(positions_of(kind)))
            golden[f"{name}/{kind}"] = np.asarray(logits)
        # Their own way to generate: a prompt, then token by token with the cache.
        positions = jnp.asarray(positions_of("whole"))
        logits, cache = model.apply(params, row[:, :PROMPT], positions[:, :PROMPT])
        steps = [logits]
        for at in range(PROMPT, LENGTH):
            logits, cache = model.apply(
                params, row[:, at : at + 1], positions[:, at : at + 1], cache
            )
            steps.append(logits)
        golden[f"{name}/cached"] = np.concatenate([np.asarray(step) for step in steps], axis=1)
    np.savez_compressed(GOLDEN, **golden)
    print(f"{GOLDEN.name}: {len(golden)} arrays, {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
