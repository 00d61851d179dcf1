"""Stage 6, serving: a model on its way out: exported, served, compared."""
