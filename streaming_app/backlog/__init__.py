"""What is unprocessed, from the checkpoints alone: the job and its submitter use the same code.

Needs no Spark, no Arrow and no clock; the submitter's Lambda holds nothing else of the application.
"""
