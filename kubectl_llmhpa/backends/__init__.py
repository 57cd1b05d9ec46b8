"""Who hands the number to the HPA? One file a metric backend."""
