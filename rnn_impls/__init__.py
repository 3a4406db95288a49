"""What is measured: each file here is one implementation of a recurrent network, each in `networks` a network.

Read `manual` first, then `looped`, then `whole`: each is a page of a textbook and stands on its own. `interface` is the
contract they share, `shape` the network that they build, `states` what is handed from step to step; `registry` is the
list of their names, `weights` what has plain parameters. The kernel of `fused-cpu` is `fused_cpu.cpp` with its headers.

`packed` and `bucketed` take ragged batches; `runtimes/` leaves torch: ONNX Runtime, OpenVINO, JAX and numba.

One of your own starts from `starter`, a network from `networks/template`; `adapter` takes bare modules, `arguments` is
what they are called with, `importing` finds files, `packages` what is installed. `build`, of `instead`, is for code of
your own: an implementation in the stead of an `nn.RNN`. Nothing here imports from `bench`.
"""

from rnn_impls.instead import build

__all__ = ["build"]
