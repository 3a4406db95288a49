// The kernel of `cluster-cuda`: all steps of one layer, SEQUENCES sequences to a cluster of 16 thread blocks.
//
// WIDTH (512 or 1024, hidden rounded up), SEQUENCES (1, 2 or 4), KEPT, RELU, TYPE (0 float, 1 bfloat16, 2 half) and
// SCOPE are defined before this text. A thread block is one processor, since it takes all of its memory; a cluster are 16 that
// can write into each other's shared memory. Each block owns WIDTH / 16 rows of W_hh, each of its 8 warps ROWS of them,
// and each lane of a warp every 32nd group of four columns of those rows: the first KEPT groups in registers, the rest
// in shared memory. So one step is
//
//     wait    until the block's own copy of the state is whole: SEQUENCES x WIDTH numbers, counted by its mbarrier
//     product of what each lane holds; all 32 lanes' sums come together by shuffles, each in one place
//     f       of the sum and what is given, once for each row and sequence
//     send    it into all 16 copies of the next state, four rows at once; each store counts at that block's mbarrier
//
// Two copies of the state take turns, and that is enough. Copy t % 2 is written again by those who send state t + 2. They
// have state t + 1 whole, so each warp of each block has sent its share of it; a warp sends only after its product with
// state t, so no one reads that any more. In the same way nothing is counted too early: of state t + 2 nothing is sent
// before warp 0 of this block has sent its share of t + 1, and before that it has made the barrier ready for t + 2.
// Nobody waits for ever: a thread that has waited `patience` nanoseconds says so in `late`, and waits no more.

#define BLOCKS 16
#define WARPS 8
#define THREADS (WARPS * 32)
#define ROWS (WIDTH / BLOCKS / WARPS)  // of a warp
#define GROUPS (WIDTH / 128)           // of four columns, of each lane and row
#define SUMS (ROWS * SEQUENCES)        // of a warp, and at first of each of its lanes
#define SPREAD (32 / SUMS)             // lanes that end with the same sum
#define BYTES (SEQUENCES * WIDTH * 4)  // of a state

#if TYPE == 0
typedef float number;
#define LOAD "ld.global.b32 %0, [%1];"
#define BITS "=f"
__device__ float read(number x) { return x; }
__device__ number written(float x) { return x; }
#elif TYPE == 1
typedef unsigned short number;
#define LOAD "ld.global.b16 %0, [%1];"
#define BITS "=h"
__device__ float read(number x) { return __uint_as_float((unsigned)x << 16); }
__device__ number written(float x) {
  number y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
#else
typedef unsigned short number;
#define LOAD "ld.global.b16 %0, [%1];"
#define BITS "=h"
__device__ float read(number x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
__device__ number written(float x) {
  number y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
#endif

// f(x). tanh |x| = (1 - e) / (1 + e) with e = exp(-2 |x|), which is at most 1 and so never overflows.
__device__ float squashed(float x) {
#if RELU
  return x < 0.f ? 0.f : x;  // not a maximum, which drops NaN
#else
  float fall = __expf(-2.f * fabsf(x));
  return copysignf(__fdividef(1.f - fall, 1.f + fall), x);
#endif
}

__device__ unsigned shared_address(const void* pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }

__device__ unsigned in_block(unsigned address, unsigned rank) {  // the same place in another block of the cluster
  unsigned there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}

__device__ void expect(unsigned barrier) {  // the one arrival of a phase, and what else it waits for
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(BYTES) : "memory");
}

__device__ unsigned long long nanoseconds() {
  unsigned long long now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  return now;
}

__device__ bool complete(unsigned barrier, unsigned parity) {
  unsigned done;
  asm volatile(
      "{ .reg .pred p; mbarrier.try_wait.parity.acquire." SCOPE ".shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
      : "=r"(done)
      : "r"(barrier), "r"(parity)
      : "memory");
  return done;
}

__device__ void send(unsigned place, float4 x, unsigned barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(place),
      "f"(x.x), "f"(x.y), "f"(x.z), "f"(x.w), "r"(barrier)
      : "memory");
}

__device__ void all_here() {  // every thread of every block of the cluster; what they wrote can be read
  asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// Add up all lanes' sums: while there are several, one half of the lanes keeps one half of them and gives away the other.
// So sum number lane / SPREAD ends in sums[0].
template <int LEFT, int APART>
__device__ void together(float (&sums)[SUMS], int lane) {
  if constexpr (LEFT > 1) {
    const bool upper = lane & APART;
#pragma unroll
    for (int i = 0; i < LEFT / 2; i++) {
      const float low = sums[i], high = sums[i + LEFT / 2];
      sums[i] = (upper ? high : low) + __shfl_xor_sync(~0u, upper ? low : high, APART);
    }
  } else {
    sums[0] += __shfl_xor_sync(~0u, sums[0], APART);
  }
  if constexpr (APART > 1) together<(LEFT > 1 ? LEFT / 2 : 1), APART / 2>(sums, lane);
}

// Four columns of a row of W_hh, zeros beyond H. In this order, so that no more of them are under way than registers are
// free; the first load of four leaves the others' in the processor's cache.
__device__ float4 four_weights(const number* matrix, int row, int column, int hidden) {
  float w[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    number x = 0;
    if (row < hidden && column + i < hidden)
      asm volatile(LOAD : BITS(x) : "l"(matrix + (long long)row * hidden + column + i));
    w[i] = read(x);
  }
  return make_float4(w[0], w[1], w[2], w[3]);
}

extern "C" __global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 1)
    recurrence(const number* matrix,  // (H, H)
               const number* given,   // (T, B, H): what is added to the product
               const number* first,   // (B, H): the state that step 0 begins with
               number* states,        // (T, B, H): that after each step
               int* late,             // one number, set to 1 by who has waited in vain
               int steps, int batch, int hidden, int patience) {
  extern __shared__ float4 memory[];
  float4* spare = memory;                                                // (GROUPS - KEPT, ROWS, THREADS)
  float* state = (float*)(memory + (GROUPS - KEPT) * ROWS * THREADS);    // (2, SEQUENCES, WIDTH)
  __shared__ unsigned long long barriers[2];                             // of each copy of the state
  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const int rank = blockIdx.x % BLOCKS, sequence0 = blockIdx.x / BLOCKS * SEQUENCES;
  const int row0 = (rank * WARPS + warp) * ROWS;

  float4 kept[KEPT][ROWS];
#pragma unroll
  for (int g = 0; g < KEPT; g++)
#pragma unroll
    for (int r = 0; r < ROWS; r++) kept[g][r] = four_weights(matrix, row0 + r, g * 128 + lane * 4, hidden);
#pragma unroll 1
  for (int i = 0; i < (GROUPS - KEPT) * ROWS; i++)
    spare[i * THREADS + thread] =
        four_weights(matrix, row0 + i % ROWS, (KEPT + i / ROWS) * 128 + lane * 4, hidden);
  for (int i = thread; i < SEQUENCES * WIDTH; i += THREADS) {
    const int b = sequence0 + i / WIDTH, column = i % WIDTH;
    state[i] = b < batch && column < hidden ? read(first[(long long)b * hidden + column]) : 0.f;
  }
  const unsigned own = shared_address(barriers);
  if (thread == 0) {
    for (int i = 0; i < 2; i++) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(own + 8 * i) : "memory");
      expect(own + 8 * i);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  all_here();

  // What this lane has to do for the warp: one sum, and to send to one block.
  const int sum = lane / SPREAD, b = sequence0 + sum / ROWS, row = row0 + sum % ROWS;
  const bool wanted = b < batch && row < hidden;
  const long long at = (long long)b * hidden + row, advance = (long long)batch * hidden;
  const unsigned to = lane % BLOCKS;
  const unsigned their_state = in_block(shared_address(state), to), their_barriers = in_block(own, to);
  float coming = wanted ? read(given[at]) : 0.f;
  bool waits = true;

  for (int t = 0; t < steps; t++) {
    const float added = coming;
    if (wanted && t + 1 < steps) coming = read(given[(t + 1) * advance + at]);  // there before the next step begins
    if (t > 0) {
      const unsigned barrier = own + 8 * (t % 2), parity = (t - 1) / 2 % 2;
      if (waits && !complete(barrier, parity)) {
        const unsigned long long start = nanoseconds();
        while (waits && !complete(barrier, parity))
          if (nanoseconds() - start > patience) {
            *late = 1;
            waits = false;
          }
      }
      if (thread == 0) expect(barrier);  // for state t + 2
    }

    const float* now = state + t % 2 * SEQUENCES * WIDTH;
    float sums[SUMS] = {};
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
      float4 x[SEQUENCES];
#pragma unroll
      for (int s = 0; s < SEQUENCES; s++) x[s] = *(const float4*)(now + s * WIDTH + g * 128 + lane * 4);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        const float4 w = g < KEPT ? kept[g % KEPT][r] : spare[((g - KEPT) * ROWS + r) * THREADS + thread];
#pragma unroll
        for (int s = 0; s < SEQUENCES; s++) {
          float& total = sums[s * ROWS + r];
          total = fmaf(w.x, x[s].x, total);
          total = fmaf(w.y, x[s].y, total);
          total = fmaf(w.z, x[s].z, total);
          total = fmaf(w.w, x[s].w, total);
        }
      }
    }

    together<SUMS, 16>(sums, lane);

    // Zero beyond H and B, even if the state is infinite, of which a product with a zero weight is NaN.
    const number result = written(wanted ? squashed(added + sums[0]) : 0.f);
    const float exact = read(result);
#pragma unroll
    for (int first_quad = 0; first_quad * 4 < SUMS; first_quad += 2) {
      const int quad = first_quad + lane / BLOCKS;
      const float4 four = make_float4(
          __shfl_sync(~0u, exact, (quad * 4 + 0) * SPREAD), __shfl_sync(~0u, exact, (quad * 4 + 1) * SPREAD),
          __shfl_sync(~0u, exact, (quad * 4 + 2) * SPREAD), __shfl_sync(~0u, exact, (quad * 4 + 3) * SPREAD));
      const int place = ((t + 1) % 2 * SEQUENCES + quad * 4 / ROWS) * WIDTH + row0 + quad * 4 % ROWS;
      if (t + 1 < steps && quad * 4 < SUMS)
        send(their_state + place * 4, four, their_barriers + 8 * ((t + 1) % 2));
    }
    if (wanted && lane % SPREAD == 0) states[t * advance + at] = result;  // nobody waits for that
  }
  all_here();  // nobody leaves while somebody may still send to it
}
