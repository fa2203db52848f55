"""The files of a trial and of a run, whether they can be believed, and the table that is read from them."""
