"""`python -m gemma_ko_lib.cli`, where the script `gemma-ko` is not on the path."""

import sys

from gemma_ko_lib.cli import main

sys.exit(main())
