"""What builds the site of the documentation: reference pages from the code, and files of the repository that pages link to."""
