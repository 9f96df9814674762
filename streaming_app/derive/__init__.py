"""From the event table to user and session: functions of ``event``, kept up to date batch by batch."""
