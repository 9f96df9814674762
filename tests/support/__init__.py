"""What the tests build their input from, and how they run parts of the job."""
