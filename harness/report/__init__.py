"""What a person looks at: the leaderboard as Markdown, CSV and a page, and the plots that explain it."""
