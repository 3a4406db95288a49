"""One process measures. A Case and implementations come in; samples leave, of those whose results are right.

problem     the data of a Case: weights, inputs that never come twice, loss
calling     how a Case calls it: at once, step by step, with lengths
capture     work as a CUDA graph
workload    Case x implementation -> something to call
reference   what a network must give, in float64, by its step as it is written
parity      equal before timed: outputs, states and gradients against that reference
steptimes   how long the steps of a streaming case take
alternate   blocks of all and the control in random order: the heart of the suite
turns       the same for any functions, without a Case
spotcheck   are results of timed calls right, too, and not remembered?
state       what a process is set to: read, compared, put back
memory      a call's peak, and what it leaves behind
fault       what went wrong, in one line
"""
