"""The published contract between agent, server and console; it imports nobody of ours.

`vocabulary` and `wire` are what an agent needs and use the standard library only; `api` is what the
server and its consoles say to each other, in msgspec. Types are frozen and keyword-only and do nothing:
no I/O, no clock, no logging. Changes are additive.
"""
