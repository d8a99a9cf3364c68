"""Simulated hosts: many agents in one process that speak the real contract and send plausible readings.

For `tocsin up --demo` and for load. Written from `tocsin_protocol` alone, without any code of `tocsin_agent`:
a mistake which agent and server make together shows here.
"""
