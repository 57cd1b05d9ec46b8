"""``python3 -m dynamo.vllm`` starts the stub engine."""

import os
import sys

os.execv("/usr/local/bin/dynamo", ["dynamo", *sys.argv[1:]])
