// The one product that all of `fused-cpu` is made of, and the panels that its weights are laid out in.
//
// `tile` multiplies a few rows with a panel of columns; the sums stay in registers from where they begin to what becomes
// of them, and both are the caller's. Weights are laid out in panels once: some vectors of columns side by side for each
// k, so that a step reads them as one stream. Vectors are the compiler's own, as wide as the machine's: 16 floats with
// AVX-512, 8 with AVX2, 4 elsewhere.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include <omp.h>

#if defined(__AVX512F__)
constexpr int V = 16, REGISTERS = 24;
#elif defined(__AVX__)
constexpr int V = 8, REGISTERS = 12;
#else
constexpr int V = 4, REGISTERS = 12;
#endif

typedef float Vec __attribute__((vector_size(V * 4)));
typedef float Unaligned __attribute__((vector_size(V * 4), aligned(4), may_alias));
typedef std::uint32_t Bits __attribute__((vector_size(V * 4)));
typedef std::uint32_t UnalignedBits __attribute__((vector_size(V * 4), aligned(2), may_alias));
#define INLINE static inline __attribute__((always_inline))  // a call would spill every sum
INLINE Vec load(const float* at) { return *reinterpret_cast<const Unaligned*>(at); }
INLINE void store(float* at, Vec value) { *reinterpret_cast<Unaligned*>(at) = value; }

// A vector of which the first `columns` are there; what lies beyond is not touched.
INLINE Vec load(const float* at, std::int64_t columns) {
  if (columns >= V) return load(at);
  Vec value{};
  if (columns > 0) std::memcpy(&value, at, columns * sizeof(float));
  return value;
}
INLINE void store(float* at, std::int64_t columns, Vec value) {
  if (columns >= V)
    store(at, value);
  else if (columns > 0)
    std::memcpy(at, &value, columns * sizeof(float));
}

// tanh(x) = x P(x^2) / Q(x^2), fitted to [-9, 9] by iteratively reweighted least squares; relative error 2e-8, below
// float32's rounding. Beyond 9 tanh is 1 in float32.
INLINE Vec tanh_of(Vec x) {
  const Vec limit = 9.0f - Vec{};
  x = x > limit ? limit : x;
  x = x < -limit ? -limit : x;
  const Vec u = x * x;
  const Vec p = (((1.335429695e-8f * u + 2.060882926e-5f) * u + 3.495573312e-3f) * u + 0.1338101337f) * u + 0.9999999795f;
  const Vec q = (((7.776411821e-7f * u + 3.285610173e-4f) * u + 2.587692648e-2f) * u + 0.4671432897f) * u + 1.0f;
  return x * p / q;
}

INLINE Vec sigmoid_of(Vec x) { return 0.5f + 0.5f * tanh_of(0.5f * x); }

// How weights lie in panels. A panel has C vectors of columns: so many of each gate, of the same units, gate after gate.
// Weights are float, or bfloat16 as uint16. A bfloat16 is the upper half of a float; those of k and k + 1 lie in one
// 32-bit lane, so that a shift gives the one and a mask the other.
template <int C>
constexpr std::int64_t PANEL = C * V;  // columns of a panel
template <typename W>
constexpr int TOGETHER = sizeof(W) == 4 ? 1 : 2;  // rows that lie in the same lanes

template <typename W>
static std::int64_t stored(std::int64_t depth) { return (depth + TOGETHER<W> - 1) / TOGETHER<W> * TOGETHER<W>; }

static std::int64_t panels(std::int64_t columns, std::int64_t wide) { return (columns + wide - 1) / wide; }

// Row k + s of a panel; k is even where two lie together.
template <int C>
INLINE void load_row(const float* w, std::int64_t k, int s, Vec (&row)[C]) {
  for (int c = 0; c < C; c++) row[c] = load(w + ((k + s) * C + c) * V);
}
template <int C>
INLINE void load_row(const std::uint16_t* w, std::int64_t k, int s, Vec (&row)[C]) {
  for (int c = 0; c < C; c++) {
    const Bits both = *reinterpret_cast<const UnalignedBits*>(w + ((k + s / 2 * 2) * C + 2 * c) * V);
    row[c] = (Vec)(s % 2 ? both & 0xffff0000u : both << 16);
  }
}

// One factor of a product: element (row, k) at `at + row * row_stride + k * k_stride`.
struct Factor {
  const float* at;
  std::int64_t row_stride, k_stride;
};

// sum[s][r] += a[r][k + s] * the panel's row k + s, for so MANY rows of it from s = `first` on. Those that lie together are
// taken together, for all columns of a row of sums; one after the other took 6 % longer at 16 rows (AMD, AVX-512).
template <int MANY, int S, int ROWS, int C, typename W>
INLINE void multiply(Factor a, const W* w, std::int64_t k, int first, Vec (&sum)[S][ROWS][C]) {
  Vec weight[MANY][C];
  for (int i = 0; i < MANY; i++) load_row(w, k, first + i, weight[i]);
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < MANY; i++)
      for (int c = 0; c < C; c++)
        sum[(first + i) % S][r][c] += a.at[r * a.row_stride + (k + first + i) * a.k_stride] * weight[i][c];
}

// Into how many parts a sum of a tile of so many rows is split: a sum waits for itself, four cycles or five each time,
// and those of one row are too few for two additions a cycle to wait for each other. Even: two rows may lie together.
template <int ROWS, int C>
constexpr int PARTS = ROWS == 1 ? 12 / C / 2 * 2 : 1;

// For ROWS rows, from `row` on, and the panel w: begin(row, sum) sets C vectors of sums, to which the products over all k
// are added, and end(row, sum) makes of them what it likes.
template <int ROWS, int C, typename W, typename Begin, typename End>
INLINE void tile(Factor a, std::int64_t row, const W* w, std::int64_t depth, const Begin& begin, const End& end) {
  constexpr int S = PARTS<ROWS, C>, STRIDE = std::max(S, TOGETHER<W>);
  const Factor own{a.at + row * a.row_stride, a.row_stride, a.k_stride};
  Vec sum[S][ROWS][C];
  for (int r = 0; r < ROWS; r++) {
    begin(row + r, sum[0][r]);
    for (int s = 1; s < S; s++)
      for (int c = 0; c < C; c++) sum[s][r][c] = Vec{};
  }
  std::int64_t k = 0;
  for (; k + STRIDE <= depth; k += STRIDE)
    for (int s = 0; s < STRIDE; s += TOGETHER<W>) multiply<TOGETHER<W>>(own, w, k, s, sum);
  for (int s = 0; s < STRIDE - 1; s++)
    if (k + s < depth) multiply<1>(own, w, k, s, sum);
  for (int r = 0; r < ROWS; r++) {
    for (int half = S / 2; half; half /= 2)
      for (int s = 0; s < half; s++)
        for (int c = 0; c < C; c++) sum[s][r][c] += sum[s + half][r][c];
    end(row + r, sum[0][r]);
  }
}

// The same for rows from `row` to `rows`: as many at a time as there are registers for, and what is left by smaller tiles.
template <int C, int ROWS = REGISTERS / C, typename W, typename Begin, typename End>
INLINE void product(Factor a, std::int64_t rows, const W* w, std::int64_t depth, const Begin& begin,
                           const End& end, std::int64_t row = 0) {
  for (; row + ROWS <= rows; row += ROWS) tile<ROWS, C>(a, row, w, depth, begin, end);
  if constexpr (ROWS > 1)
    if (row < rows) product<C, ROWS - 1>(a, rows, w, depth, begin, end, row);
}

static std::uint16_t rounded(float value) {  // to the nearest bfloat16, ties to even
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// A matrix with element (k, column) at `from + k * k_stride + column * column_stride`, so many columns for each gate ->
// its panels of C vectors, padded with zeros.
template <int C, typename W>
static void pack(const float* from, std::int64_t k_stride, std::int64_t column_stride, std::int64_t depth, int gates,
                 std::int64_t columns, W* to) {
  constexpr std::int64_t BLOCK = 16;  // a line of the cache: read whole when columns lie apart, as those of W do
  const std::int64_t wide = PANEL<C> / gates;
  for (std::int64_t p = 0; p < panels(columns, wide); p++, to += stored<W>(depth) * PANEL<C>)
    for (std::int64_t first = 0; first < depth; first += BLOCK)
      for (std::int64_t j = 0; j < PANEL<C>; j++) {
        const std::int64_t unit = p * wide + j % wide;
        const float* column = from + (j / wide * columns + unit) * column_stride;
        __builtin_prefetch(column + (first + BLOCK) * k_stride);  // so many streams are beyond what a CPU notices
        for (std::int64_t k = first; k < std::min(first + BLOCK, stored<W>(depth)); k++) {
          const float value = unit < columns && k < depth ? column[k * k_stride] : 0.0f;
          if constexpr (sizeof(W) == 4)
            to[k * PANEL<C> + j] = value;
          else
            to[(k / 2 * PANEL<C> + j) * 2 + k % 2] = rounded(value);
        }
      }
}

// The same of a matrix whose columns lie side by side, with rows `stride` apart.
template <int C>
static void pack_rows(const float* from, std::int64_t stride, std::int64_t depth, std::int64_t columns, float* to) {
  for (std::int64_t k = 0; k < depth; k++)
    for (std::int64_t v = 0; v < panels(columns, PANEL<C>) * C; v++)
      store(to + ((v / C * depth + k) * C + v % C) * V, load(from + k * stride + v * V, columns - v * V));
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
