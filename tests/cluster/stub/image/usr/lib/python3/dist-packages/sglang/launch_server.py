"""``python3 -m sglang.launch_server`` starts the stub engine."""

import os
import sys

os.execv("/usr/local/bin/sglang", ["sglang", *sys.argv[1:]])
