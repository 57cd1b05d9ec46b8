"""``python -m tests.cluster.ground`` is ``scripts/cluster``."""

import sys

from tests.cluster.ground.cli import main

sys.exit(main(sys.argv[1:]))
