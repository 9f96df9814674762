"""``clickstream report``: one page for people about what is in the tables, that needs no network and runs no script.

:mod:`period` says which days; :mod:`traffic`, :mod:`visitors`, :mod:`funnel`, :mod:`quality` and :mod:`cost` ask the tables, in
SQL that aggregates where the rows are; :mod:`about_people` and :mod:`about_data` make sections of the answers, and :mod:`page`
the HTML.
"""
