"""`gemma-ko serve` as a process of its own: for lessons, comparisons and tests."""

import json
import signal
import subprocess
import sys
import tempfile

from gemma_ko_lib.runtime import UserError


class BackgroundServer:
    """Serves models until the block is left.

    Attributes:
        url: base address for OpenAI's client, e.g. "http://127.0.0.1:8000/v1".
        models: names that a request may ask for.
        process: the server's.

    Example:
        with BackgroundServer(["runs/chat"]) as server:
            client = openai.OpenAI(base_url=server.url, api_key="none")
    """

    def __init__(self, models: list[str], *options: str):
        """Name what to serve.

        Args:
            models: GGUF files, run folders or names.
            options: of `gemma-ko serve`, such as "--slots", "8".
        """
        self._command = [sys.executable, "-m", "gemma_ko_lib.cli", "serve", *map(str, models)]
        self._command += ["--json", "--port", "0", *options]

    def __enter__(self) -> "BackgroundServer":
        """Start it, and wait until it answers.

        Raises:
            UserError: it stopped instead, with what it said.
        """
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        try:
            line = self.process.stdout.readline()
        except BaseException:  # `with` leaves only what it has entered
            self.__exit__()
            raise
        if not line:
            self.process.wait()
            self._log.seek(0)
            said = self._log.read().strip().removeprefix("gemma-ko: ")
            raise UserError(said or f"The server stopped with code {self.process.returncode}.")
        ready = json.loads(line)
        self.url, self.models = ready["url"], ready["models"]
        return self

    def __exit__(self, *_) -> None:
        """Let it end its answers, and stop it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()
        self._log.close()
