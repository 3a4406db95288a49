"""The figures. The measured cells of a run come in; panels leave, as SVG on the page, as PNG and SVG in files.

scene       what every picture shares: cells, settings, names, looks
figures     which pictures there are, and what each shows: start here to add one
heatmaps    speed-ups, CPU against GPU, winners
beside_machines speed-ups on several machines
bars        where the time of a step goes
padding     time of a useful step by how much of a batch is padding
roofline    operations per second under what the machine allows
costs       what the laws say of a call, a step and a multiply-add
steps       how long a step takes, and the slow ones
curves      the norm of gradients, k steps back
drawing     the kinds of panels: lines, tiles, dots
palette     colours, markers and dashes, light and dark
render      panels -> SVG and PNG
"""
