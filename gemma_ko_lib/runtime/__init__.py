"""What every stage may use: the machine, credentials, files, progress.

This part imports no other of the library.
"""

from gemma_ko_lib.runtime.credentials import Credential, export_credentials, find_credentials
from gemma_ko_lib.runtime.doctor import check_machine, describe, package_versions
from gemma_ko_lib.runtime.errors import UserError, did_you_mean, disk_error, disk_errors, printable
from gemma_ko_lib.runtime.machine import (
    Accelerator,
    accelerator,
    choose_dtype,
    cpu_name,
    peak_memory_bytes,
    platform,
    total_memory_bytes,
)
from gemma_ko_lib.runtime.progress import Progress
from gemma_ko_lib.runtime.seeds import seed_everything
from gemma_ko_lib.runtime.storage import (
    cache_dir,
    digest_of,
    json_object,
    numbered_lines,
    numbered_records,
    only_process,
    read_json_lines,
    read_json_object,
    samples_dir,
    sha256_of,
    whole_file,
    whole_path,
    write_json,
    write_whole,
)
from gemma_ko_lib.runtime.terminal import lasting_streams
