"""What does the user type? One file a command: parse, call, print. Only this folder imports click."""
