"""Who scrapes? One file a scraper."""
