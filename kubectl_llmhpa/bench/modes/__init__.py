"""What is measured, one file a mode: each says what load to make, and what its recording tells."""
