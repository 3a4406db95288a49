"""A run's folder. Records come in and leave as they were: nothing is rounded, nothing is half written.

files       files that are there whole or not at all; errors that name file and field
folder      run folders: made, found, pointed to by `latest`
manifest    run.json: what was asked for, on what machine, what is known of each cell
passes      passes/pass-001.json: the samples of one fresh process, as pytest-benchmark writes them
samples     the samples of passes as one table of columns, and its Parquet file
compact     both forms of a run folder read as one, and the compact one written
known       what several runs know of each cell, as one
pooled      runs put together, machine by machine
merged      a merged run's folder
"""
