"""Why it takes that long. Cases, limits and traces come in; floors, shares of the time and gradients leave.

work        operations and bytes of a call of a Case, by what its network says
floor       the least time that any implementation needs for a Case, from its work and the machine's limits
limits/     what the machine allows, measured
kernel/     what really ran in a call, and why no faster one, by torch's profiler
profile/    where the time of a call goes, by torch's profiler
meters      what a call does, counted exactly: operators, autograd's nodes, allocations, launches
gradients/  how far back gradients reach
denormals/  what it costs that they vanish through denormal numbers

What only reads files needs no torch: work, floor, the tables of limits and gradients, a profile behind its trace.
"""
