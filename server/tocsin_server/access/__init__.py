"""Who may do what: people, their sessions, and the tokens of machines that scrape."""
