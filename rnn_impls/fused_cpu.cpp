// All steps of one layer of an Elman network or of a GRU in one call, forward and backward, on the CPU.
//
//   h_t = f(W_ih x_t + b + W_hh h_{t-1})     f is tanh or relu;  x (T, B, I), h (T, B, H), all float32
//   a GRU's formula is in networks/gru.py; its matrices are three, each laid out by itself, so that the columns of a
//   panel are the same units in r, z and n
//
// Everything is one product, `tile`: a few rows times a panel of columns, whose sums stay in registers. Weights are laid
// out in panels once: P columns side by side for each k, so that a step reads them as one stream. Vectors are the
// compiler's own, as wide as the machine's: 16 floats with AVX-512, 8 with AVX2, 4 elsewhere.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include <omp.h>

#if defined(__AVX512F__)
constexpr int V = 16, REGISTERS = 24;
#elif defined(__AVX__)
constexpr int V = 8, REGISTERS = 12;
#else
constexpr int V = 4, REGISTERS = 12;
#endif
constexpr int C = 4;      // vectors side by side in a panel
constexpr int P = C * V;  // columns of a panel
constexpr int R = REGISTERS / C;  // rows of a tile at most: as many sums as there are registers for

typedef float Vec __attribute__((vector_size(V * 4)));
typedef float Unaligned __attribute__((vector_size(V * 4), aligned(4), may_alias));
typedef std::uint32_t Bits __attribute__((vector_size(V * 4)));
typedef std::uint32_t UnalignedBits __attribute__((vector_size(V * 4), aligned(2), may_alias));
static inline Vec load(const float* at) { return *reinterpret_cast<const Unaligned*>(at); }
static inline void store(float* at, Vec value) { *reinterpret_cast<Unaligned*>(at) = value; }
// One row of a panel.
static inline void load_row(const float* at, Vec (&row)[C]) {
  for (int c = 0; c < C; c++) row[c] = load(at + c * V);
}
// A bfloat16 is the upper half of a float. Two vectors of them lie in one, lane by lane, so that a shift gives the one
// and a mask the other.
static inline void load_row(const std::uint16_t* at, Vec (&row)[C]) {
  for (int c = 0; c < C; c += 2) {
    const Bits both = *reinterpret_cast<const UnalignedBits*>(at + c * V);
    row[c] = (Vec)(both << 16);
    row[c + 1] = (Vec)(both & 0xffff0000u);
  }
}

enum Epilogue : int { NONE, TANH, RELU, TANH_GRADIENT, RELU_GRADIENT };

// tanh(x) = x P(x^2) / Q(x^2), fitted to [-9, 9] by iteratively reweighted least squares; relative error 2e-8, below
// float32's rounding. Beyond 9 tanh is 1 in float32.
static inline Vec tanh_of(Vec x) {
  const Vec limit = 9.0f - Vec{};
  x = x > limit ? limit : x;
  x = x < -limit ? -limit : x;
  const Vec u = x * x;
  const Vec p = (((1.335429695e-8f * u + 2.060882926e-5f) * u + 3.495573312e-3f) * u + 0.1338101337f) * u + 0.9999999795f;
  const Vec q = (((7.776411821e-7f * u + 3.285610173e-4f) * u + 2.587692648e-2f) * u + 0.4671432897f) * u + 1.0f;
  return x * p / q;
}

static inline Vec sigmoid_of(Vec x) { return 0.5f + 0.5f * tanh_of(0.5f * x); }

// What becomes of a sum. A gradient is multiplied by f', which the state that f gave tells: 1 - h^2, or h > 0.
static inline Vec finished(Vec sum, int epilogue, Vec state) {
  switch (epilogue) {
    case TANH: return tanh_of(sum);
    case RELU: return sum > Vec{} ? sum : Vec{};
    case TANH_GRADIENT: return sum * (1.0f - state * state);
    case RELU_GRADIENT: return state > Vec{} ? sum : Vec{};
    default: return sum;
  }
}

// Some rows of a matrix: row r begins at `at + r * stride`; no rows at all where `at` is null.
template <typename F>
struct Rows {
  F* at = nullptr;
  std::int64_t stride = 0;
  Rows from(std::int64_t row) const { return {at ? at + row * stride : nullptr, stride}; }
};
using In = Rows<const float>;
using Out = Rows<float>;

// Vector c of row r; what lies beyond the last column is not touched.
static inline Vec part(In rows, int r, int c, int columns) {
  if (!rows.at) return Vec{};
  const float* at = rows.at + r * rows.stride + c * V;
  if (columns - c * V >= V) return load(at);
  Vec value{};
  if (columns > c * V) std::memcpy(&value, at, (columns - c * V) * sizeof(float));
  return value;
}

// One factor of a product: element (row, k) at `at + row * row_stride + k * k_stride`.
struct Factor {
  const float* at;
  std::int64_t row_stride, k_stride;
};

// Where the sums begin, what they become and with which states, where they go, and how many columns there are.
struct Ends {
  In start;
  int epilogue = NONE;
  In states;
  Out result;
  int columns = P;
  Ends from(std::int64_t row) const { return {start.from(row), epilogue, states.from(row), result.from(row), columns}; }
};

// sum[r] += a[r][k] * the panel's row k
template <int ROWS, typename W>
static inline void multiply(Factor a, const W* w, std::int64_t k, Vec (&sum)[ROWS][C]) {
  Vec weight[C];
  load_row(w + k * P, weight);
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < C; c++) sum[r][c] += a.at[r * a.row_stride + k * a.k_stride] * weight[c];
}

// result[r][c] = finished(start[r][c] + sum over k of a[r][k] * w[k * P + c]), for ROWS rows and the panel w.
// A sum waits for itself; with one row there are too few to wait for each other, so each is made of two.
template <int ROWS, typename W>
static inline void tile(Factor a, const W* w, std::int64_t depth, const Ends& ends) {
  constexpr int S = ROWS == 1 ? 2 : 1;
  Vec sum[S][ROWS][C];
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < C; c++) {
      sum[0][r][c] = part(ends.start, r, c, ends.columns);
      for (int s = 1; s < S; s++) sum[s][r][c] = Vec{};
    }
  std::int64_t k = 0;
  for (; k + S <= depth; k += S)
    for (int s = 0; s < S; s++) multiply<ROWS>(a, w, k + s, sum[s]);
  for (; k < depth; k++) multiply<ROWS>(a, w, k, sum[0]);
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c * V < ends.columns; c++) {
      for (int s = 1; s < S; s++) sum[0][r][c] += sum[s][r][c];
      const Vec value = finished(sum[0][r][c], ends.epilogue, part(ends.states, r, c, ends.columns));
      float* at = ends.result.at + r * ends.result.stride + c * V;
      if (ends.columns - c * V >= V)
        store(at, value);
      else
        std::memcpy(at, &value, (ends.columns - c * V) * sizeof(float));
    }
}

// The same for any number of rows, as many at a time as there are registers for.
template <typename W>
static void product(Factor a, std::int64_t rows, const W* w, std::int64_t depth, const Ends& ends) {
  for (std::int64_t r = 0; r < rows; r += R) {
    const Factor own{a.at + r * a.row_stride, a.row_stride, a.k_stride};
    const Ends here = ends.from(r);
    switch (std::min<std::int64_t>(R, rows - r)) {
      case 1: tile<1>(own, w, depth, here); break;
      case 2: tile<2>(own, w, depth, here); break;
      case 3: tile<3>(own, w, depth, here); break;
      case 4: if constexpr (R >= 4) tile<4>(own, w, depth, here); break;
      case 5: if constexpr (R >= 5) tile<5>(own, w, depth, here); break;
      case 6: if constexpr (R >= 6) tile<6>(own, w, depth, here); break;
    }
  }
}

static int columns_of(std::int64_t panel, std::int64_t columns) {
  return static_cast<int>(std::min<std::int64_t>(P, columns - panel * P));
}

static std::int64_t panels(std::int64_t columns) { return (columns + P - 1) / P; }

// A matrix with element (k, column) at `from + k * k_stride + column * column_stride` -> its panels, padded with zeros.
template <typename W>
static void pack(const float* from, std::int64_t k_stride, std::int64_t column_stride, std::int64_t depth,
                 std::int64_t columns, W* to) {
  constexpr std::int64_t BLOCK = 16;  // a line of the cache: read whole when columns lie apart, as those of W do
  for (std::int64_t p = 0; p < panels(columns); p++, to += depth * P)
    for (std::int64_t first = 0; first < depth; first += BLOCK)
      for (int j = 0; j < P; j++) {
        const std::int64_t column = p * P + (sizeof(W) == 4 ? j : (j / (2 * V) * 2 + j % 2) * V + j % (2 * V) / 2);
        for (std::int64_t k = first; k < std::min(first + BLOCK, depth); k++) {
          const float value = column < columns ? from[k * k_stride + column * column_stride] : 0.0f;
          if constexpr (sizeof(W) == 4) {
            to[k * P + j] = value;
          } else {  // to the nearest bfloat16, ties to even
            std::uint32_t bits;
            std::memcpy(&bits, &value, 4);
            to[k * P + j] = static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
          }
        }
      }
}

// Threads wait for each other after every step: a few hundred nanoseconds, so they spin.
class Barrier {
 public:
  // To be called by one thread, before any waits.
  void expect(int threads) { threads_ = threads; }
  void wait() {
    const int phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
    } else {
      while (phase_.load(std::memory_order_acquire) == phase) pause();
    }
  }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  int threads_ = 1;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> phase_{0};
};

constexpr std::int64_t CHUNK_FLOATS = 1 << 16;  // of input products made ahead: 256 KiB, which L2 holds beside the weights

struct Sizes {
  std::int64_t T, B, I, H;
};

// Calls work(thread, team, barrier) in each thread of a team, which has so many threads at most: a limit of OpenMP's, or
// a dynamic team, may give fewer, and a barrier for all that were asked for would wait for ever.
template <typename Work>
static void in_threads(int threads, const Work& work) {
  Barrier barrier;
  if (threads <= 1) return work(0, 1, barrier);
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    barrier.expect(omp_get_num_threads());
    work(omp_get_thread_num(), omp_get_num_threads(), barrier);
  }
}

// Forward: x (T, B, I), h0 (B, H), packed W_ih and W_hh, bias (H) -> out (T, B, H). A thread has panels of its own, of
// the input product as of the steps, so that it waits for the others once a step.
template <typename W>
static void forward_layer(const float* x, const float* h0, const W* w_ih, const W* w_hh, const float* bias, float* out,
                          Sizes n, int epilogue, int threads) {
  const std::int64_t count = panels(n.H), width = count * P;
  const std::int64_t chunk = std::max<std::int64_t>(1, std::min(n.T, CHUNK_FLOATS / (n.B * width)));
  std::vector<float> ahead(static_cast<std::size_t>(chunk * n.B * width));
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t first = 0; first < n.T; first += chunk) {
      const std::int64_t steps = std::min(chunk, n.T - first);
      for (std::int64_t p = me; p < count; p += team)
        product({x + first * n.B * n.I, n.I, 1}, steps * n.B, w_ih + p * n.I * P, n.I,
                {{bias + p * P, 0}, NONE, {}, {ahead.data() + p * P, width}, columns_of(p, n.H)});
      for (std::int64_t t = first; t < first + steps; t++) {
        const float* before = t ? out + (t - 1) * n.B * n.H : h0;
        for (std::int64_t p = me; p < count; p += team)
          product({before, n.H, 1}, n.B, w_hh + p * n.H * P, n.H,
                  {{ahead.data() + (t - first) * n.B * width + p * P, width}, epilogue, {},
                   {out + t * n.B * n.H + p * P, n.H}, columns_of(p, n.H)});
        if (team > 1) barrier.wait();
      }
    }
  });
}

// Backward through the steps: d loss / d out (T, B, H), out (T, B, H), W_hh packed the other way round -> g (T, B, H),
// the gradient of what f is taken of:  g_t = f'_t (d loss / d h_t + g_{t+1} W_hh).
static void backward_layer(const float* of_out, const float* out, const float* w_hh, float* g, Sizes n, int epilogue,
                           int threads) {
  const std::int64_t count = panels(n.H), step = n.B * n.H;
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t t = n.T - 1; t >= 0; t--) {
      const std::int64_t depth = t + 1 < n.T ? n.H : 0;
      for (std::int64_t p = me; p < count; p += team)
        product({g + (t + 1) * step, n.H, 1}, n.B, w_hh + p * n.H * P, depth,
                {{of_out + t * step + p * P, n.H}, epilogue, {out + t * step + p * P, n.H}, {g + t * step + p * P, n.H},
                 columns_of(p, n.H)});
      if (team > 1) barrier.wait();
    }
  });
}

// Vector c of some columns of a row, and back.
static inline Vec columns_at(const float* at, int c, int columns) { return part({at, 0}, 0, c, columns); }
static inline void put(float* at, int c, int columns, Vec value) {
  if (columns - c * V >= V)
    store(at + c * V, value);
  else
    std::memcpy(at + c * V, &value, (columns - c * V) * sizeof(float));
}

// What a GRU keeps of its steps for the way back: r, z, n and m = W_hn h' + b_hn, (4, T, B, H); or nothing.
struct Kept {
  float* at;
  std::int64_t all;  // T B H
  float* gate(int which, std::int64_t where) const { return at + which * all + where; }
};

// Forward of a GRU: x (T, B, I), h0 (B, H); W_ih and W_hh in panels, r, z and n one after the other; the biases of the
// input's products (3, H), those of r and z with the state's added, and b_hn (H) -> out (T, B, H).
static void gru_forward_layer(const float* x, const float* h0, const float* w_ih, const float* w_hh, const float* bias,
                              const float* b_hn, float* out, Kept kept, Sizes n, int threads) {
  const std::int64_t count = panels(n.H), width = count * P, row = 3 * width;
  const std::int64_t of_input = count * n.I * P, of_state = count * n.H * P;  // floats of a gate's panels
  const std::int64_t chunk = std::max<std::int64_t>(1, std::min(n.T, CHUNK_FLOATS / (n.B * row)));
  std::vector<float> ahead(static_cast<std::size_t>(chunk * n.B * row)), sums(static_cast<std::size_t>(n.B * row));
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t first = 0; first < n.T; first += chunk) {
      const std::int64_t steps = std::min(chunk, n.T - first);
      for (int gate = 0; gate < 3; gate++)
        for (std::int64_t p = me; p < count; p += team)
          product({x + first * n.B * n.I, n.I, 1}, steps * n.B, w_ih + gate * of_input + p * n.I * P, n.I,
                  {{bias + gate * n.H + p * P, 0}, NONE, {}, {ahead.data() + gate * width + p * P, row}, columns_of(p, n.H)});
      for (std::int64_t t = first; t < first + steps; t++) {
        const float* before = t ? out + (t - 1) * n.B * n.H : h0;
        const float* made = ahead.data() + (t - first) * n.B * row;
        for (std::int64_t p = me; p < count; p += team) {
          const int columns = columns_of(p, n.H);
          for (int gate = 0; gate < 3; gate++)
            product({before, n.H, 1}, n.B, w_hh + gate * of_state + p * n.H * P, n.H,
                    {gate < 2 ? In{made + gate * width + p * P, row} : In{b_hn + p * P, 0}, NONE, {},
                     {sums.data() + gate * width + p * P, row}, columns});
          for (std::int64_t b = 0; b < n.B; b++) {
            const float* sum = sums.data() + b * row + p * P;
            const std::int64_t where = (t * n.B + b) * n.H + p * P;
            for (int c = 0; c * V < columns; c++) {
              const Vec r = sigmoid_of(columns_at(sum, c, columns)), z = sigmoid_of(columns_at(sum + width, c, columns));
              const Vec m = columns_at(sum + 2 * width, c, columns);
              const Vec n_t = tanh_of(columns_at(made + b * row + 2 * width + p * P, c, columns) + r * m);
              const Vec state = columns_at(before + b * n.H + p * P, c, columns);
              put(out + where, c, columns, n_t + z * (state - n_t));
              if (kept.at) {
                put(kept.gate(0, where), c, columns, r);
                put(kept.gate(1, where), c, columns, z);
                put(kept.gate(2, where), c, columns, n_t);
                put(kept.gate(3, where), c, columns, m);
              }
            }
          }
        }
        if (team > 1) barrier.wait();
      }
    }
  });
}

// Backward of a GRU: d loss / d out (T, B, H), the states that steps began with (T, B, H), what was kept, and W_hh as it
// is (3 H, H) in panels -> the gradients of the sums before the gates, of the input's and of the state's products
// (T, B, 3 H) each, and d loss / d h0 (B, H). `rnn_impls/stacked_gru.py` has the formulas.
static void gru_backward_layer(const float* of_out, const float* before, Kept kept, const float* w_hh, float* of_input,
                               float* of_state, float* of_first, Sizes n, int threads) {
  const std::int64_t count = panels(n.H), step = n.B * n.H;
  std::vector<float> carried(static_cast<std::size_t>(step), 0.0f), later(static_cast<std::size_t>(step));
  in_threads(threads, [&](int me, int team, Barrier& barrier) {
    for (std::int64_t t = n.T - 1; t >= -1; t--) {
      const std::int64_t depth = t + 1 < n.T ? 3 * n.H : 0;
      for (std::int64_t p = me; p < count; p += team) {
        const int columns = columns_of(p, n.H);
        float* to = t >= 0 ? later.data() : of_first;
        product({of_state + (t + 1) * 3 * step, 3 * n.H, 1}, n.B, w_hh + p * 3 * n.H * P, depth,
                {{carried.data() + p * P, n.H}, NONE, {}, {to + p * P, n.H}, columns});
        for (std::int64_t b = 0; t >= 0 && b < n.B; b++) {
          const std::int64_t at = b * n.H + p * P, where = t * step + at;
          float* input = of_input + (t * n.B + b) * 3 * n.H + p * P;
          float* state = of_state + (t * n.B + b) * 3 * n.H + p * P;
          for (int c = 0; c * V < columns; c++) {
            const auto gate = [&](int which) { return columns_at(kept.gate(which, where), c, columns); };
            const Vec r = gate(0), z = gate(1), n_t = gate(2), m = gate(3);
            const Vec g = columns_at(later.data() + at, c, columns) + columns_at(of_out + where, c, columns);
            const Vec d_n = g * (1.0f - z) * (1.0f - n_t * n_t), d_r = d_n * m * r * (1.0f - r);
            const Vec d_z = g * (columns_at(before + where, c, columns) - n_t) * z * (1.0f - z);
            put(input, c, columns, d_r), put(input + n.H, c, columns, d_z), put(input + 2 * n.H, c, columns, d_n);
            put(state, c, columns, d_r), put(state + n.H, c, columns, d_z), put(state + 2 * n.H, c, columns, d_n * r);
            put(carried.data() + at, c, columns, g * z);
          }
        }
      }
      if (team > 1) barrier.wait();
    }
  });
}

// What Python calls, by ctypes; every pointer is to contiguous numbers. W is float, or bfloat16 as uint16.
extern "C" {

int lanes() { return V; }

// How many items a matrix of this depth and so many columns takes in panels.
std::int64_t packed_items(std::int64_t depth, std::int64_t columns) { return panels(columns) * depth * P; }

// A matrix (rows, wide) -> the panels of its transpose, (depth wide, columns rows), or with `as_is` its own, (depth rows,
// columns wide).
void packed(const float* matrix, std::int64_t rows, std::int64_t wide, int as_is, int halved, void* to) {
  const std::int64_t depth = as_is ? rows : wide, columns = as_is ? wide : rows;
  const std::int64_t k_stride = as_is ? wide : 1, column_stride = as_is ? 1 : wide;
  if (halved)
    pack(matrix, k_stride, column_stride, depth, columns, static_cast<std::uint16_t*>(to));
  else
    pack(matrix, k_stride, column_stride, depth, columns, static_cast<float*>(to));
}

void forward(const float* x, const float* h0, const void* w_ih, const void* w_hh, const float* bias, float* out,
             std::int64_t T, std::int64_t B, std::int64_t I, std::int64_t H, int relu, int halved, int threads) {
  const Sizes n{T, B, I, H};
  const int epilogue = relu ? RELU : TANH;
  if (halved)
    forward_layer(x, h0, static_cast<const std::uint16_t*>(w_ih), static_cast<const std::uint16_t*>(w_hh), bias, out, n,
                  epilogue, threads);
  else
    forward_layer(x, h0, static_cast<const float*>(w_ih), static_cast<const float*>(w_hh), bias, out, n, epilogue, threads);
}

void backward(const float* of_out, const float* out, const float* w_hh, float* g, std::int64_t T, std::int64_t B,
              std::int64_t H, int relu, int threads) {
  backward_layer(of_out, out, w_hh, g, Sizes{T, B, 0, H}, relu ? RELU_GRADIENT : TANH_GRADIENT, threads);
}

void gru_forward(const float* x, const float* h0, const float* w_ih, const float* w_hh, const float* bias, const float* b_hn,
                 float* out, float* kept, std::int64_t T, std::int64_t B, std::int64_t I, std::int64_t H, int threads) {
  gru_forward_layer(x, h0, w_ih, w_hh, bias, b_hn, out, {kept, T * B * H}, Sizes{T, B, I, H}, threads);
}

void gru_backward(const float* of_out, const float* before, float* kept, const float* w_hh, float* of_input,
                  float* of_state, float* of_first, std::int64_t T, std::int64_t B, std::int64_t H, int threads) {
  gru_backward_layer(of_out, before, {kept, T * B * H}, w_hh, of_input, of_state, of_first, Sizes{T, B, 0, H}, threads);
}

// g (M, H) and what entered each step, (M, I) in panels -> g^T entered (H, I): a weight's gradient, all steps at once.
void weight_gradient(const float* g, const float* entered, float* found, std::int64_t M, std::int64_t H, std::int64_t I,
                     int threads) {
  in_threads(threads, [&](int me, int team, Barrier&) {
    for (std::int64_t p = me; p < panels(I); p += team)
      product({g, 1, H}, H, entered + p * M * P, M, {{}, NONE, {}, {found + p * P, I}, columns_of(p, I)});
  });
}

}  // extern "C"
