"""What the source of a submission may not do, and the brief trials that `timetrial check` runs."""
