"""What is measured: each file here is one implementation of a recurrent network, each in `networks` a network.

Read `manual` first, then `looped`, then `whole`: each is a page of a textbook and stands on its own. `interface` is the
contract they share, `registry` the list of their names, `weights` what has plain parameters, `importing` how files of
your own are found. One of your own starts from `starter`, a network from `networks/template`; `adapter` takes bare
modules, `packages` finds what is installed. `build`, of `instead`, is for code of your own: an implementation in the
stead of an `nn.RNN`. Nothing here imports from `bench`.
"""

from rnn_impls.instead import build

__all__ = ["build"]
