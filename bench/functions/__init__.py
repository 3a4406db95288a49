"""`compare`: the measuring core for any functions. Functions and what makes their inputs come in; a Result leaves.

comparing   compare: tried, sent, timed in fresh processes
trial       each function called once: what it needs, gives and leaves, and whether that is right
sending     functions and inputs on their way into a fresh process, or why they can't go
result      Result: estimates, saved and loaded
shown       a Result in words, tables and a picture
magic       `%compare` in notebooks
"""
