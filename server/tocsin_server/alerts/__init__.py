"""From rule files to transitions: what is true, since when, and what has just changed."""
