// What the networks of `fused-cpu` have in common: the input's products, made ahead in pieces that stay in the cache, the
// loops over steps, forward and backward, and the gradients of weights.

#pragma once

#include "fused_product.hpp"

struct Sizes {
  std::int64_t T, B, I, H;
};

constexpr int PLAIN = 4;  // vectors of a panel whose columns are those of one matrix
constexpr int UNITS = 1;  // vectors of units in a panel of gates
template <int GATES>
constexpr int VECTORS = GATES == 1 ? PLAIN : GATES * UNITS;

constexpr std::int64_t CHUNK_FLOATS = 1 << 16;  // of input products made ahead: 256 KiB, which L2 holds beside the weights

// Numbers that are written before they are read: a vector's would be zeroed first.
static std::unique_ptr<float[]> room(std::int64_t count) { return std::unique_ptr<float[]>(new float[count]); }

// A thread's panels of so many, every team-th: up in one step and down in the next, so that a step begins with what the
// caches still hold of the one before. Weights a little larger than a cache would else be gone whenever they are read.
template <typename Each>
static void own_panels(std::int64_t count, std::int64_t t, int me, int team, const Each& each) {
  const std::int64_t own = (count - me + team - 1) / team;
  for (std::int64_t i = 0; i < own; i++) each(me + (t % 2 ? own - 1 - i : i) * team);
}

// Forward: x (T, B, I), W_ih in panels, bias (GATES H). Calls step(t, p, ahead, row) for each step and panel of units:
// ahead + b * row has the panel's sums W_ih x_t + bias of sequence b, and the state's product is the caller's. A thread
// has panels of its own, of the input product as of the steps, so that it waits for the others once a step.
template <int GATES, typename W, typename Step>
static void forward_steps(const float* x, const W* w_ih, const float* bias, Sizes n, int threads, const Step& step) {
  constexpr int C = VECTORS<GATES>;
  constexpr std::int64_t P = PANEL<C>, WIDE = P / GATES;
  const std::int64_t count = panels(n.H, WIDE), row = count * P;
  const std::int64_t chunk = std::max<std::int64_t>(1, std::min(n.T, CHUNK_FLOATS / (n.B * row)));
  const auto ahead = room(chunk * n.B * row), biases = room(row);
  pack<C>(bias, 0, 1, 1, GATES, n.H, biases.get());
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t first = 0; first < n.T; first += chunk) {
      const std::int64_t steps = std::min(chunk, n.T - first);
      for (std::int64_t p = me; p < count; p += team)
        product<C>({x + first * n.B * n.I, n.I, 1}, steps * n.B, w_ih + p * stored<W>(n.I) * P, n.I,
                   [&](std::int64_t, Vec (&sum)[C]) { load_row(biases.get() + p * P, 0, 0, sum); },
                   [&](std::int64_t r, Vec (&sum)[C]) {
                     for (int c = 0; c < C; c++) store(ahead.get() + r * row + p * P + c * V, sum[c]);
                   });
      for (std::int64_t t = first; t < first + steps; t++) {
        own_panels(count, t, me, team, [&](std::int64_t p) {
          step(t, p, ahead.get() + (t - first) * n.B * row + p * P, row);
        });
        if (team > 1) barrier.wait();
      }
    }
  });
}

// Backward: calls step(t, p) from the last step to `last` for each panel of plain columns of (H).
template <typename Step>
static void backward_steps(Sizes n, std::int64_t last, int threads, const Step& step) {
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t t = n.T - 1; t >= last; t--) {
      own_panels(panels(n.H, PANEL<PLAIN>), t, me, team, [&](std::int64_t p) { step(t, p); });
      if (team > 1) barrier.wait();
    }
  });
}

constexpr std::int64_t DEPTH = 128;  // steps of a weight's gradient at a time: 32 KiB of a panel, and of g what L2 holds

// g (M, rows), a part of rows that lie `stride` apart, and what entered each step (M, I) -> g^T entered (rows, I).
static void all_steps_product(const float* g, std::int64_t stride, const float* entered, float* found, std::int64_t M,
                              std::int64_t rows, std::int64_t I, int threads) {
  constexpr int C = PLAIN;
  in_threads(threads, [&](int me, int team, Barrier&) {
    const auto panel = room(DEPTH * PANEL<C>);
    for (std::int64_t p = me; p < panels(I, PANEL<C>); p += team) {
      const std::int64_t first = p * PANEL<C>, columns = std::min(I - first, PANEL<C>);
      for (std::int64_t k = 0; k < M; k += DEPTH) {
        const std::int64_t depth = std::min(DEPTH, M - k);
        pack_rows<C>(entered + k * I + first, I, depth, columns, panel.get());
        const auto at = [&](std::int64_t r, int c) { return found + r * I + first + c * V; };
        product<C>({g + k * stride, 1, stride}, rows, panel.get(), depth,
                   [&](std::int64_t r, Vec (&sum)[C]) {
                     for (int c = 0; c < C; c++) sum[c] = k ? load(at(r, c), columns - c * V) : Vec{};
                   },
                   [&](std::int64_t r, Vec (&sum)[C]) {
                     for (int c = 0; c < C; c++) store(at(r, c), columns - c * V, sum[c]);
                   });
      }
    }
  });
}
