"""An installed pipeline at work: over files, and behind a port."""
