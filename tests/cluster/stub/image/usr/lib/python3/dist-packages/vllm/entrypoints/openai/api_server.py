"""``python3 -m vllm.entrypoints.openai.api_server`` starts the stub engine."""

import os
import sys

os.execv("/usr/local/bin/vllm", ["vllm", *sys.argv[1:]])
