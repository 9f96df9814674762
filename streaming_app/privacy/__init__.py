"""What is taken from clients' data before anything is stored: their addresses, wherever they are written."""
