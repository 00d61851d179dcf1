"""The texts that a lesson reads: public ones where there is a network, else the course's own.

The smoke profile always reads the course's own and touches no network.
"""

from pathlib import Path

from gemma_ko_lib.corpus.cleaning import clean_text
from gemma_ko_lib.corpus.documents import documents_of
from gemma_ko_lib.corpus.pii import mask_pii
from gemma_ko_lib.corpus.samples import is_held_out_sample, read_samples
from gemma_ko_lib.corpus.sources.open_corpora import EVERYTHING, Limit, corpora, fetch
from gemma_ko_lib.profiles import Profile
from gemma_ko_lib.runtime import UserError, samples_dir

_CORPORA = {"ko": ("nsmc", "petitions", "wikipedia-ko")}  # of other languages Wikipedia alone
# A token of Gemma 3 is 4 bytes of Korean; a tenth of the text is held out, some is dropped.
_BYTES_A_TOKEN = 6
_LEAST_BYTES = 1_000_000


def lesson_inputs(language: str, profile: Profile) -> tuple[list[str | Path], Limit]:
    """What a lesson cleans, as arguments of `corpus.clean`: inputs, and how much of each.

    It is enough for the profile's pre-training to read no text twice. What was taken is printed.

    Args:
        language: "ko", "en", "zh" or "ja".
        profile: of the lesson.
    """
    samples = [samples_dir() / language]
    if profile.model == "nano":
        print(f"{language}: the course's own samples")
        return samples, EVERYTHING
    names = _CORPORA.get(language, (f"wikipedia-{language}",))
    sizes = profile.pretrain
    tokens = sizes.steps * sizes.batch_rows * sizes.row_length
    wanted = max(_LEAST_BYTES, _BYTES_A_TOKEN * tokens)
    limit = Limit(bytes=wanted // len(names))
    inputs = []
    for name in names:
        try:
            fetch(f"open:{name}", limit, quiet=True)
            inputs.append(f"open:{name}")
        except UserError as error:
            print(f"{language}: not reached: {error}")
    if not inputs:
        print(f"{language}: the course's own samples instead, so a long run reads them repeatedly")
        return samples, EVERYTHING
    for name in inputs:
        source = corpora()[name.removeprefix("open:")]
        size = f"{limit.bytes / 1e6:.1f} MB"
        print(f"{language}: {size} of {name} ({source.title}; licence: {source.licence})")
    return inputs, limit


def lesson_texts(language: str, profile: Profile) -> dict[str, list[dict]]:
    """A lesson's documents, by split ("train", "held_out"), as `read_samples` has them.

    Public text is cleaned and personal data in it is masked; one document in ten is held out.

    Args:
        language: "ko", "en", "zh" or "ja".
        profile: of the lesson.
    """
    inputs, limit = lesson_inputs(language, profile)
    if limit == EVERYTHING:
        return {split: read_samples(language, split) for split in ("train", "held_out")}
    texts = {"train": [], "held_out": []}
    for file in (file for name in inputs for file in fetch(name, limit, quiet=True)):
        for document in documents_of(file):
            register = document.metadata["register"]
            result = clean_text(document.text, register, languages=(language,))
            if not result.dropped_by:
                split = "held_out" if is_held_out_sample(document.id) else "train"
                record = {"id": document.id, "lang": language, "register": register}
                texts[split].append(record | {"text": mask_pii(result.text)})
    return texts
