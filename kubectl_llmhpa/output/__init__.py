"""How is it shown? Tables, ages, documents, and what a terminal may be sent."""
