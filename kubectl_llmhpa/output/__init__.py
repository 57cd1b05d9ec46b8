"""How is it shown? Tables, progress and HTML."""
