"""Stage 1, corpus: raw files in, clean documents as JSONL out, with a count for every step.

`clean_text` cleans one text and decides whether to keep it; `clean` does so for files and
folders and writes a folder with a report, which `read_clean` reads; `read_documents` reads
any input file, `read_records` with its rejects; `open_corpus` fetches a public corpus by its name.
"""

from gemma_ko_lib.corpus.clean_settings import CleanSettings
from gemma_ko_lib.corpus.cleaning import CleanResult, clean_text
from gemma_ko_lib.corpus.documents import Reject, open_corpus, read_documents, read_records
from gemma_ko_lib.corpus.pipeline import clean
from gemma_ko_lib.corpus.report import format_report
from gemma_ko_lib.corpus.result_folder import clean_files, read_clean, sources_of
