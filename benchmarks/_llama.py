"""llama.cpp's OpenAI-compatible server on a free port of this machine, until whoever started it ends.

Run by the interpreter of an environment that has ``xllamacpp``: ``_llama.py MODEL.gguf THREADS CONTEXT``. Prints the
server's address when the model is loaded.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp


def main() -> None:
    model, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = context
    params.n_parallel = 1
    params.offline = True
    params.verbosity = 0
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
