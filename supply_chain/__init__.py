"""What this project is made of: known weaknesses of it, and the one tool that is fetched before there is a lock."""
