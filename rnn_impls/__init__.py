"""What is measured: each file here is one way of running the same recurrent network.

Read `manual` first, then `looped`, then `whole`: each is a page of a textbook and stands on its own.
`interface` is the contract they share, `registry` the list of their names. One of your own starts from
`starter`; `adapter` takes bare modules, `packages` finds what is installed. Nothing here imports from `bench`.
"""
