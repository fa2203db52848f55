"""One trial: a referee process that never imports submission code, and a trainee process that runs it."""
