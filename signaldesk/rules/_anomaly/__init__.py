"""The detector behind the rule kind `anomaly`: pure arithmetic on a series, past only, no clock, no chance.

`Detector` is fed one value after the other and says how unusual each is. Its parts: `Level` (a robust centre
and spread), `Season` (what is usual at this hour and weekday), `Visited` (which values were seen before) and
`Peaks` (how unusual the most unusual ones of late were). Each writes its whole state as numbers and reads it
back exactly (`Tape`).
"""
