"""Analysis of finished runs: statistics over seeds, tables, figures and a page, made from their run folders alone.

`runs` reads and checks run folders, `statistics` compares them, `drawing` makes figures, `page` the files of a report.
"""
