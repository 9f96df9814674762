"""What spark-submit starts on EMR Serverless: the command line, whose exit code says whether the job has failed.

`clickstream package` copies this file; the rest comes from environment.tar.gz, by PYTHONPATH=./environment.
"""

from streaming_app.cli import main

if __name__ == "__main__":
    main()
