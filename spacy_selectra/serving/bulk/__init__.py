"""A pipeline over more text than one call takes: files in and out, on several processes."""
