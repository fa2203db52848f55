"""One module for each verb of `timetrial`; none imports torch, and what is slow is imported where it is used."""
