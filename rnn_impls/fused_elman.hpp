// An Elman network, h_t = f(W_ih x_t + b + W_hh h_{t-1}); f is tanh or relu.

#pragma once

#include "fused_steps.hpp"

// x (T, B, I), h0 (B, H), packed W_ih and W_hh, bias (H) -> out (T, B, H).
template <typename W>
static void elman_forward(const float* x, const float* h0, const W* w_ih, const W* w_hh, const float* bias, float* out,
                          Sizes n, bool relu, int threads) {
  constexpr int C = VECTORS<1>;
  forward_steps<1>(x, w_ih, bias, n, threads, [&](std::int64_t t, std::int64_t p, const float* ahead, std::int64_t row) {
    const std::int64_t first = p * PANEL<C>;  // unit of the panel
    product<C>({t ? out + (t - 1) * n.B * n.H : h0, n.H, 1}, n.B, w_hh + first * stored<W>(n.H), n.H,
               [&](std::int64_t b, Vec (&sum)[C]) { load_row(ahead + b * row, 0, 0, sum); },
               [&](std::int64_t b, Vec (&sum)[C]) {
                 float* to = out + (t * n.B + b) * n.H + first;
                 for (int c = 0; c < C; c++)
                   store(to + c * V, n.H - first - c * V, relu ? (sum[c] > Vec{} ? sum[c] : Vec{}) : tanh_of(sum[c]));
               });
  });
}

// d loss / d out (T, B, H), out (T, B, H), W_hh packed as it is -> g (T, B, H), the gradient of what f is taken of:
//   g_t = f'_t (d loss / d h_t + g_{t+1} W_hh),  where f' is told by the state that f gave: 1 - h^2, or h > 0.
static void elman_backward(const float* of_out, const float* out, const float* w_hh, float* g, Sizes n, bool relu,
                           int threads) {
  backward_steps(n, 0, threads, [&](std::int64_t t, std::int64_t p) {
    const std::int64_t first = p * PANEL<PLAIN>, depth = t + 1 < n.T ? n.H : 0;
    const auto where = [&](std::int64_t b, int c) { return (t * n.B + b) * n.H + first + c * V; };
    product<PLAIN>({g + (t + 1) * n.B * n.H, n.H, 1}, n.B, w_hh + first * n.H, depth,
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++) sum[c] = load(of_out + where(b, c), n.H - first - c * V);
                   },
                   [&](std::int64_t b, Vec (&sum)[PLAIN]) {
                     for (int c = 0; c < PLAIN; c++) {
                       const std::int64_t columns = n.H - first - c * V;
                       const Vec h = load(out + where(b, c), columns);
                       store(g + where(b, c), columns, relu ? (h > Vec{} ? sum[c] : Vec{}) : sum[c] * (1.0f - h * h));
                     }
                   });
  });
}
