// What this CPU can do: float32 multiply-adds a second in a loop that touches registers only, in
// the widest vectors it has and in those of AVX2; dot products of bfloat16 likewise, if it has
// them; and the bytes a second that a = b + c moves between arrays too large for its caches. Prints
// a line of JSON; usage: peak THREADS
#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr long kRounds = 20'000'000;
constexpr int kRuns = 5;  // of which the fastest counts
// Independent sums: more than the latency of a multiply-add times the number of units that do them.
constexpr int kSums = 12;
constexpr long kNumbers = long{1} << 25;  // of an array: 128 MiB

typedef float Floats8 __attribute__((vector_size(32)));
typedef float Floats16 __attribute__((vector_size(64)));

// The sums return as one number, so that the loop cannot be left out.
template <class Vector>
__attribute__((always_inline)) inline float total_of(const Vector* sums) {
  float total = 0;
  for (int i = 0; i < kSums; ++i) total += sums[i][0];
  return total;
}

template <class Vector>
__attribute__((always_inline)) inline float multiply_adds() {
  Vector sums[kSums];
  for (Vector& sum : sums) sum = Vector{} + 1.0f;
  const Vector a = Vector{} + 0.5f, b = Vector{} + 0.25f;
  for (long i = 0; i < kRounds; ++i)
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * a + b;
  return total_of(sums);
}

__attribute__((target("avx512f"))) float avx512() { return multiply_adds<Floats16>(); }
__attribute__((target("avx2,fma"))) float avx2() { return multiply_adds<Floats8>(); }

__attribute__((target("avx512f,avx512bf16"))) float bf16() {
  __m512 sums[kSums];
  for (__m512& sum : sums) sum = _mm512_set1_ps(1);
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3c003c00);  // 2^-7 twice
  for (long i = 0; i < kRounds; ++i)
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, a, a);
  return total_of(sums);
}

struct Loop {
  const char* name;
  int operations;  // of one step of a sum
  float (*run)();
};

constexpr Loop kAvx512{"avx512", 32, avx512}, kAvx2{"avx2", 16, avx2}, kBf16{"bf16", 64, bf16};

float kept = 0;

double gflop_per_s(const Loop& loop, int threads) {
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads) reduction(+ : kept)
    kept += loop.run();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 1e-9 * loop.operations * kSums * kRounds * threads / seconds.count());
  }
  return best;
}

double gbyte_per_s(int threads) {
  std::vector<float> a(kNumbers), b(kNumbers, 1), c(kNumbers, 2);
  float *to = a.data(), *left = b.data(), *right = c.data();
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel for simd num_threads(threads)
    for (long i = 0; i < kNumbers; ++i) to[i] = left[i] + right[i];
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 1e-9 * 3 * sizeof(float) * kNumbers / seconds.count());
    std::swap(to, left);
  }
  kept += left[kNumbers / 2];
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) {
    std::fprintf(stderr, "usage: peak THREADS\n");
    return 1;
  }
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::fprintf(stderr, "peak: needs a CPU with AVX2 and FMA\n");
    return 1;
  }
  const Loop& widest = __builtin_cpu_supports("avx512f") ? kAvx512 : kAvx2;
  std::printf("{\"vectors\": \"%s\", \"threads\": %d, \"gflop_per_s\": %.1f", widest.name, threads,
              gflop_per_s(widest, threads));
  std::printf(", \"avx2_gflop_per_s\": %.1f", gflop_per_s(kAvx2, threads));
  if (__builtin_cpu_supports("avx512bf16"))
    std::printf(", \"bf16_gflop_per_s\": %.1f", gflop_per_s(kBf16, threads));
  std::printf(", \"gbyte_per_s\": %.1f", gbyte_per_s(threads));
  std::printf(", \"check\": %.1f}\n", static_cast<double>(kept));
}
