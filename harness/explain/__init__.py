"""Small experiments that show why the ranking is as it is; each is a module, and nothing in here is scored."""
