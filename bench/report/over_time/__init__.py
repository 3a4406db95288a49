"""A history in words, as files and as a page. Runs, series and changes of `bench.history` come in; nothing is decided
here.

told        the answer, each change, and what a terminal shows of them
points      every point and every change as rows, for CSV and JSON
charts      a chart for each cell, one for each meter that changed, and all cells on one
searched    what a search for a commit found
chronicle   index.html, history.csv, changes.json
"""
