"""From landing files to typed tables: land, crawl, load."""
