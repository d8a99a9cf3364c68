"""The proof that who sees one client learns nothing of another: every route, every role."""
