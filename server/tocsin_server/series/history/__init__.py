"""Closed hours on disk: what the journal holds for hours is kept here for days, and rolled up for months.

    stretches   a host's samples over some time, one array: made of frames, merged with what came late
    columns     series as few bytes before they are compressed
    chunks      one stretch of one hour as one sealed piece of bytes
    entries     the names and labels of a chunk, stored once for all hours that have them
    rollups     5-minute minimum, maximum, sum and count of each series
    dayfile     one SQLite file a UTC day
    days        the writer and retention
    reader      the series that somebody asks for
    openmetrics any range as text

Order of durability: `Days.write` returns once the hour is on disk. Until then the journal must keep it, so a
segment may be swept only when the hours that it holds have been written. Writing an hour again is harmless.
"""
