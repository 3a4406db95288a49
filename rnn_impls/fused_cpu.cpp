// All steps of one layer of a recurrent network in one call, forward and backward, on the CPU: what Python calls, by
// ctypes. A header each has the networks, `fused_product.hpp` the product that all are made of, `fused_steps.hpp` the
// loops over steps.
//
// x (T, B, I), h (T, B, H), all float32 and contiguous; weights in panels, float or, where `halved`, bfloat16.

#include "fused_elman.hpp"
#include "fused_gru.hpp"
#include "fused_lstm.hpp"

// Calls work(w_ih, w_hh) with weights of the type that they are of.
template <typename Work>
static void with_weights(const void* w_ih, const void* w_hh, int halved, const Work& work) {
  if (halved)
    work(static_cast<const std::uint16_t*>(w_ih), static_cast<const std::uint16_t*>(w_hh));
  else
    work(static_cast<const float*>(w_ih), static_cast<const float*>(w_hh));
}

template <int GATES, typename W>
static void pack_gates(const float* matrix, std::int64_t rows, std::int64_t wide, bool as_is, W* to) {
  if constexpr (GATES == 1 && sizeof(W) == 4)
    if (as_is) return pack_rows<VECTORS<1>>(matrix, wide, rows, wide, to);
  if (as_is)
    pack<VECTORS<GATES>>(matrix, wide, 1, rows, GATES, wide / GATES, to);
  else
    pack<VECTORS<GATES>>(matrix, 1, wide, wide, GATES, rows / GATES, to);
}

template <typename W>
static void pack_any(const float* matrix, std::int64_t rows, std::int64_t wide, int gates, bool as_is, W* to) {
  switch (gates) {
    case 3: return pack_gates<3>(matrix, rows, wide, as_is, to);
    case 4: return pack_gates<4>(matrix, rows, wide, as_is, to);
    default: return pack_gates<1>(matrix, rows, wide, as_is, to);
  }
}

extern "C" {

int lanes() { return V; }

// How many items a matrix of this depth takes in panels, with so many columns for each gate.
std::int64_t packed_items(std::int64_t depth, std::int64_t columns, int gates, int halved) {
  const std::int64_t vectors = gates == 3 ? VECTORS<3> : gates == 4 ? VECTORS<4> : VECTORS<1>;
  const std::int64_t rows = halved ? stored<std::uint16_t>(depth) : depth;
  return panels(columns, vectors * V / gates) * rows * vectors * V;
}

// A matrix (rows, wide) -> the panels of its transpose, (depth wide, columns rows), or with `as_is` its own, (depth rows,
// columns wide). The columns are those of so many gates, one after the other.
void packed(const float* matrix, std::int64_t rows, std::int64_t wide, int gates, int as_is, int halved, void* to) {
  if (halved)
    pack_any(matrix, rows, wide, gates, as_is, static_cast<std::uint16_t*>(to));
  else
    pack_any(matrix, rows, wide, gates, as_is, static_cast<float*>(to));
}

void forward(const float* x, const float* h0, const void* w_ih, const void* w_hh, const float* bias, float* out,
             std::int64_t T, std::int64_t B, std::int64_t I, std::int64_t H, int relu, int halved, int threads) {
  with_weights(w_ih, w_hh, halved, [&](auto* of_input, auto* of_state) {
    elman_forward(x, h0, of_input, of_state, bias, out, Sizes{T, B, I, H}, relu, threads);
  });
}

void backward(const float* of_out, const float* out, const float* w_hh, float* g, std::int64_t T, std::int64_t B,
              std::int64_t H, int relu, int threads) {
  elman_backward(of_out, out, w_hh, g, Sizes{T, B, 0, H}, relu, threads);
}

void gru_forward(const float* x, const float* h0, const void* w_ih, const void* w_hh, const float* bias, const float* b_hn,
                 float* out, float* kept, std::int64_t T, std::int64_t B, std::int64_t I, std::int64_t H, int halved,
                 int threads) {
  with_weights(w_ih, w_hh, halved, [&](auto* of_input, auto* of_state) {
    gru_forward_steps(x, h0, of_input, of_state, bias, b_hn, out, kept, Sizes{T, B, I, H}, threads);
  });
}

void gru_backward(const float* of_out, const float* before, const float* kept, const float* w_hh, float* found,
                  float* of_first, std::int64_t T, std::int64_t B, std::int64_t H, int threads) {
  gru_backward_steps(of_out, before, kept, w_hh, found, of_first, Sizes{T, B, 0, H}, threads);
}

void lstm_forward(const float* x, const float* h0, const float* c0, const void* w_ih, const void* w_hh, const float* bias,
                  float* out, float* last, float* kept, float* cells, std::int64_t T, std::int64_t B, std::int64_t I,
                  std::int64_t H, int halved, int threads) {
  with_weights(w_ih, w_hh, halved, [&](auto* of_input, auto* of_state) {
    lstm_forward_steps(x, h0, c0, of_input, of_state, bias, out, last, kept, cells, Sizes{T, B, I, H}, threads);
  });
}

void lstm_backward(const float* of_out, const float* of_last, const float* kept, const float* cells, const float* w_hh,
                   float* found, float* of_hidden, float* of_cell, std::int64_t T, std::int64_t B, std::int64_t H,
                   int threads) {
  lstm_backward_steps(of_out, of_last, kept, cells, w_hh, found, of_hidden, of_cell, Sizes{T, B, 0, H}, threads);
}

// g (M, H), a part of rows that lie `stride` apart, and what entered each step (M, I) -> g^T entered (H, I): a weight's
// gradient, all steps at once.
void weight_gradient(const float* g, std::int64_t stride, const float* entered, float* found, std::int64_t M,
                     std::int64_t H, std::int64_t I, int threads) {
  all_steps_product(g, stride, entered, found, M, H, I, threads);
}

}  // extern "C"
