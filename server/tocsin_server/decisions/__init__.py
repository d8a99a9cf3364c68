"""Decision tables, the rules of the desk: one CSV a table in DMN's words, read strictly, proven whole."""
