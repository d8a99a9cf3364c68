"""The technicians' console: a live queue of tickets in the terminal.

`client` speaks HTTP, `session` keeps what is known fresh, `state` decides what a list shows, `format` and
`sheets` say it in words; none of them knows Textual. `screens` compose and forward, `widgets` paint.
"""
