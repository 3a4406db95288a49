// What a CPU does at most: products, reading and dependent additions with nothing around them.
//
// Each loop does one thing, in vectors as wide as the machine's, and enough of it side by side that nothing waits for a
// result before.

#include <cstdint>

#include <omp.h>

#if defined(__AVX512F__)
constexpr int BYTES = 64, SUMS = 24;
#elif defined(__AVX__)
constexpr int BYTES = 32, SUMS = 12;
#else
constexpr int BYTES = 16, SUMS = 12;
#endif
constexpr int STREAMS = 8;  // vectors read side by side

template <typename F>
struct Wide {
  typedef F Vec __attribute__((vector_size(BYTES)));
  static constexpr int LANES = BYTES / sizeof(F);
};

// Nobody reads the sums; this keeps a compiler from leaving them out.
template <typename Vec, int COUNT>
static void keep(Vec (&sum)[COUNT]) {
  asm volatile("" : : "m"(sum));
}

// sum = sum * a + b, SUMS of them in registers: nothing is read, so only the units that multiply and add bind.
template <typename F>
static void multiply_adds(std::int64_t rounds, int threads) {
  using Vec = typename Wide<F>::Vec;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    Vec sum[SUMS], a = Vec{} + F(0.5), b = Vec{} + F(1);
    for (int s = 0; s < SUMS; s++) sum[s] = Vec{} + F(s);
    asm volatile("" : "+m"(a), "+m"(b));  // unknown from here on, so that nothing is computed beforehand
    for (std::int64_t n = 0; n < rounds; n++) {
#pragma GCC unroll 24
      for (int s = 0; s < SUMS; s++) sum[s] = sum[s] * a + b;
    }
    keep(sum);
  }
}

extern "C" {

// Multiply-adds that one thread makes in a round.
int products_float32() { return SUMS * Wide<float>::LANES; }
int products_float64() { return SUMS * Wide<double>::LANES; }

void multiply_float32(std::int64_t rounds, int threads) { multiply_adds<float>(rounds, threads); }
void multiply_float64(std::int64_t rounds, int threads) { multiply_adds<double>(rounds, threads); }

// Reads `floats` numbers `times` over, each thread a part of them of its own.
void read(const float* at, std::int64_t floats, std::int64_t times, int threads) {
  using Vec = Wide<float>::Vec;
  constexpr std::int64_t STRIDE = STREAMS * Wide<float>::LANES;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    const std::int64_t team = omp_get_num_threads(), part = floats / team / STRIDE * STRIDE;
    const float* own = at + omp_get_thread_num() * part;
    Vec sum[STREAMS] = {};
    for (std::int64_t n = 0; n < times; n++) {
      for (std::int64_t k = 0; k < part; k += STRIDE)
#pragma GCC unroll 8
        for (int s = 0; s < STREAMS; s++)
          sum[s] += *reinterpret_cast<const Vec*>(own + k + s * Wide<float>::LANES);
      asm volatile("" : : : "memory");  // the next time reads them again
    }
    keep(sum);
  }
}

// One addition that waits for the one before, so many times.
void add(std::int64_t count, float by) {
  float sum = 0;
  for (std::int64_t n = 0; n < count; n++) sum += by;
  float kept[1] = {sum};
  keep(kept);
}

}  // extern "C"
