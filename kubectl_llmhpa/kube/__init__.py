"""How is the API server reached? Connection, reads, watches, writes. Only this folder imports kubernetes."""
