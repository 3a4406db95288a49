// A GRU; its formula is in networks/gru.py, that of its gradients in stacked_gru.py. Gates: r, z, n.

#pragma once

#include "fused_steps.hpp"

// x (T, B, I), h0 (B, H); W_ih and W_hh in panels of gates; the biases of the input's products (3 H), those of r and z with
// the state's added, and b_hn (H) -> out (T, B, H), and where `kept` is given r, z, n and m = W_hn h' + b_hn of every step,
// (T, B, 4 H).
template <typename W>
static void gru_forward_steps(const float* x, const float* h0, const W* w_ih, const W* w_hh, const float* bias,
                              const float* b_hn, float* out, float* kept, Sizes n, int threads) {
  constexpr int C = VECTORS<3>;
  forward_steps<3>(x, w_ih, bias, n, threads, [&](std::int64_t t, std::int64_t p, const float* ahead, std::int64_t row) {
    const std::int64_t first = p * UNITS * V;
    const float* before = t ? out + (t - 1) * n.B * n.H : h0;
    product<C>({before, n.H, 1}, n.B, w_hh + p * stored<W>(n.H) * PANEL<C>, n.H,
               [&](std::int64_t b, Vec (&sum)[C]) {
                 load_row(ahead + b * row, 0, 0, sum);
                 for (int u = 0; u < UNITS; u++) sum[2 * UNITS + u] = load(b_hn + first + u * V, n.H - first - u * V);
               },
               [&](std::int64_t b, Vec (&sum)[C]) {
                 for (int u = 0; u < UNITS; u++) {
                   const std::int64_t unit = first + u * V, columns = n.H - unit;
                   const Vec r = sigmoid_of(sum[u]), z = sigmoid_of(sum[UNITS + u]), m = sum[2 * UNITS + u];
                   const Vec new_state = tanh_of(load(ahead + b * row + (2 * UNITS + u) * V) + r * m);
                   const Vec state = load(before + b * n.H + unit, columns);
                   store(out + (t * n.B + b) * n.H + unit, columns, new_state + z * (state - new_state));
                   if (kept) {
                     float* to = kept + (t * n.B + b) * 4 * n.H + unit;
                     store(to, columns, r), store(to + n.H, columns, z);
                     store(to + 2 * n.H, columns, new_state), store(to + 3 * n.H, columns, m);
                   }
                 }
               });
  });
}

// d loss / d out (T, B, H), the states that steps began with (T, B, H), what was kept, and W_hh as it is (3 H, H) in panels
// -> the gradients d_n, d_r, d_z and r d_n of the sums before the gates, (T, B, 4 H): the first three are those of the
// input's products, the last three those of the state's; and d loss / d h0 (B, H).
static void gru_backward_steps(const float* of_out, const float* before, const float* kept, const float* w_hh, float* found,
                               float* of_first, Sizes n, int threads) {
  const auto carried = room(n.B * n.H);  // what reaches the state before past the gates
  backward_steps(n, -1, threads, [&](std::int64_t t, std::int64_t p) {
    const std::int64_t first = p * PANEL<PLAIN>, depth = t + 1 < n.T ? 3 * n.H : 0;
    product<PLAIN>({found + (t + 1) * n.B * 4 * n.H + n.H, 4 * n.H, 1}, n.B, w_hh + first * 3 * n.H, depth,
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++)
                       sum[c] = depth ? load(carried.get() + b * n.H + first + c * V, n.H - first - c * V) : Vec{};
                   },
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++) {
                       const std::int64_t unit = first + c * V, columns = n.H - unit, at = b * n.H + unit;
                       if (t < 0) {
                         store(of_first + at, columns, sum[c]);
                         continue;
                       }
                       const float* gate = kept + (t * n.B + b) * 4 * n.H + unit;
                       const Vec r = load(gate, columns), z = load(gate + n.H, columns);
                       const Vec new_state = load(gate + 2 * n.H, columns), m = load(gate + 3 * n.H, columns);
                       const Vec g = sum[c] + load(of_out + t * n.B * n.H + at, columns);
                       const Vec d_n = g * (1.0f - z) * (1.0f - new_state * new_state), d_r = d_n * m * r * (1.0f - r);
                       const Vec d_z = g * (load(before + t * n.B * n.H + at, columns) - new_state) * z * (1.0f - z);
                       float* to = found + (t * n.B + b) * 4 * n.H + unit;
                       store(to, columns, d_n), store(to + n.H, columns, d_r);
                       store(to + 2 * n.H, columns, d_z), store(to + 3 * n.H, columns, d_n * r);
                       store(carried.get() + at, columns, g * z);
                     }
                   });
  });
}
