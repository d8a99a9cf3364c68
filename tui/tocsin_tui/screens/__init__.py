"""The screens: each composes widgets, forwards keys to the session, and shows what the sheets say."""
