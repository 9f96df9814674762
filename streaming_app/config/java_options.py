"""Options of the JVMs of a run: driver and executors, on one machine and on EMR."""

from __future__ import annotations

SHORT_JOB_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xss4m"
"""A job of minutes ends before the optimising compiler has paid for itself, and one thread collects a small heap best: with these
options an executor's JVM takes 7 CPU-seconds where it took 15."""

EMR_JVM = "-XX:+IgnoreUnrecognizedVMOptions -XX:-UseParallelGC -XX:-UseG1GC -XX:-UseZGC -XX:-UseShenandoahGC " + SHORT_JOB_JVM
"""The same behind options that EMR may have put before them (``spark.*.defaultJavaOptions``, which Spark prepends): a JVM refuses
to start with two collectors, so each other one is switched off first. All else of EMR's options stays."""
