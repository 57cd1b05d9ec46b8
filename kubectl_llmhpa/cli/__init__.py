"""What does the user type? One file a command: parse, call, print. Only this folder imports click."""

import gc

# Loading makes tens of thousands of objects that stay, and Python looks through them for garbage again and again: a
# sixth of the time of a short command.
gc.set_threshold(50_000)
