"""What is unprocessed, told by the checkpoints alone: the job and its submitter ask the same question by the same code.

Needs no Spark, no Arrow and no clock; the submitter's Lambda holds nothing else of the application.
"""
