"""What paints: a table and lines, both drawn from spans. No text from data is ever parsed as markup."""
