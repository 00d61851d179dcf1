"""Stage 3, models: Gemma's weights, its forward pass and its tokenizer.

`load` gives a `Model` for nano, the real Gemma 3 270M, any KerasHub Gemma preset or a run's
folder; `parameter_count` counts without allocating; `mesh` and `place` put weights on devices.
"""

from gemma_ko_lib.models.adapters import Lora, add_adapters, merge
from gemma_ko_lib.models.configs import CONFIGS, build_backbone
from gemma_ko_lib.models.decoder import Decoder, build_decoder, project, stack, unstack
from gemma_ko_lib.models.embeddings import change_vocabulary
from gemma_ko_lib.models.loading import load, parameter_count
from gemma_ko_lib.models.model import Model, assemble
from gemma_ko_lib.models.peft_files import as_plain_lora, load_adapters, save_adapters
from gemma_ko_lib.models.quantization import dequantize, quantize
from gemma_ko_lib.models.sharding import make_mesh, place, shardings
