"""The published contract between agent, server and console; it imports nobody of ours.

`vocabulary` and `wire` are what an agent needs and use the standard library only; all others are what the
server and its consoles say to each other, in msgspec, a module for each noun: `api` has the table of calls.
Types are frozen and keyword-only and do nothing: no I/O, no clock, no logging. Changes are additive.
"""
