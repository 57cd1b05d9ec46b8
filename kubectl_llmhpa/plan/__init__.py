"""Which changes follow from the facts? And the step runner that makes and unmakes them."""
