// An LSTM; the formulas of its gradients are in stacked_lstm.py. Gates: i, f, g, o.
//
//   c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)

#pragma once

#include "fused_steps.hpp"

// x (T, B, I), h0 and c0 (B, H), W_ih and W_hh in panels of gates, bias (4 H) -> out (T, B, H) and the last cell (B, H);
// where `kept` is given the gates of every step, too, (T, B, 4 H), and in `cells` the cell that each step began with and
// the last one, (T + 1, B, H).
template <typename W>
static void lstm_forward_steps(const float* x, const float* h0, const float* c0, const W* w_ih, const W* w_hh,
                               const float* bias, float* out, float* last, float* kept, float* cells, Sizes n, int threads) {
  constexpr int C = VECTORS<4>;
  const std::int64_t all = n.B * n.H;
  std::memcpy(kept ? cells : last, c0, all * sizeof(float));
  forward_steps<4>(x, w_ih, bias, n, threads, [&](std::int64_t t, std::int64_t p, const float* ahead, std::int64_t row) {
    const std::int64_t first = p * UNITS * V;
    const float* cell_before = kept ? cells + t * all : last;
    float* cell_after = kept ? cells + (t + 1) * all : last;
    product<C>({t ? out + (t - 1) * all : h0, n.H, 1}, n.B, w_hh + p * stored<W>(n.H) * PANEL<C>, n.H,
               [&](std::int64_t b, Vec (&sum)[C]) { load_row(ahead + b * row, 0, 0, sum); },
               [&](std::int64_t b, Vec (&sum)[C]) {
                 for (int u = 0; u < UNITS; u++) {
                   const std::int64_t unit = first + u * V, columns = n.H - unit, at = b * n.H + unit;
                   const Vec i = sigmoid_of(sum[u]), f = sigmoid_of(sum[UNITS + u]);
                   const Vec g = tanh_of(sum[2 * UNITS + u]), o = sigmoid_of(sum[3 * UNITS + u]);
                   const Vec cell = f * load(cell_before + at, columns) + i * g;
                   store(cell_after + at, columns, cell);
                   store(out + t * all + at, columns, o * tanh_of(cell));
                   if (kept) {
                     float* to = kept + (t * n.B + b) * 4 * n.H + unit;
                     store(to, columns, i), store(to + n.H, columns, f);
                     store(to + 2 * n.H, columns, g), store(to + 3 * n.H, columns, o);
                   }
                 }
               });
  });
  if (kept) std::memcpy(last, cells + n.T * all, all * sizeof(float));
}

// d loss / d out (T, B, H) and d loss / d the last cell (B, H), what was kept, and W_hh as it is (4 H, H) in panels -> the
// gradients of the sums before the gates (T, B, 4 H), and those of h0 and c0 (B, H). A gradient that is null is zero.
static void lstm_backward_steps(const float* of_out, const float* of_last, const float* kept, const float* cells,
                                const float* w_hh, float* found, float* of_hidden, float* of_cell, Sizes n, int threads) {
  const std::int64_t all = n.B * n.H;
  if (of_last)
    std::memcpy(of_cell, of_last, all * sizeof(float));  // of the cell at the step that the loop has come to
  else
    std::memset(of_cell, 0, all * sizeof(float));
  backward_steps(n, -1, threads, [&](std::int64_t t, std::int64_t p) {
    const std::int64_t first = p * PANEL<PLAIN>, depth = t + 1 < n.T ? 4 * n.H : 0;
    product<PLAIN>({found + (t + 1) * 4 * all, 4 * n.H, 1}, n.B, w_hh + first * 4 * n.H, depth,
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++)
                       sum[c] = of_out && t >= 0 ? load(of_out + t * all + b * n.H + first + c * V, n.H - first - c * V) : Vec{};
                   },
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++) {
                       const std::int64_t unit = first + c * V, columns = n.H - unit, at = b * n.H + unit;
                       if (t < 0) {
                         store(of_hidden + at, columns, sum[c]);
                         continue;
                       }
                       const float* gate = kept + (t * n.B + b) * 4 * n.H + unit;
                       const Vec i = load(gate, columns), f = load(gate + n.H, columns);
                       const Vec g = load(gate + 2 * n.H, columns), o = load(gate + 3 * n.H, columns);
                       const Vec squashed = tanh_of(load(cells + (t + 1) * all + at, columns));
                       const Vec d_c = load(of_cell + at, columns) + sum[c] * o * (1.0f - squashed * squashed);
                       float* to = found + (t * n.B + b) * 4 * n.H + unit;
                       store(to, columns, d_c * g * i * (1.0f - i));
                       store(to + n.H, columns, d_c * load(cells + t * all + at, columns) * f * (1.0f - f));
                       store(to + 2 * n.H, columns, d_c * i * (1.0f - g * g));
                       store(to + 3 * n.H, columns, sum[c] * squashed * o * (1.0f - o));
                       store(of_cell + at, columns, d_c * f);
                     }
                   });
  });
}
