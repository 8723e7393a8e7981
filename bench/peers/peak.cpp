// The arithmetic that this CPU can do: float32 multiply-adds a second in a loop that touches
// registers only, in the widest vectors it has. Prints a line of JSON; usage: peak THREADS
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr long kRounds = 20'000'000;
// Independent sums: more than the latency of a multiply-add times the number of units that do them.
constexpr int kSums = 12;

typedef float Floats8 __attribute__((vector_size(32)));
typedef float Floats16 __attribute__((vector_size(64)));

// The sums return as one number, so that the loop cannot be left out.
template <class Vector>
__attribute__((always_inline)) inline float multiply_adds() {
  Vector sums[kSums];
  for (Vector& sum : sums) sum = Vector{} + 1.0f;
  const Vector a = Vector{} + 0.5f, b = Vector{} + 0.25f;
  for (long i = 0; i < kRounds; ++i)
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * a + b;
  float total = 0;
  for (const Vector& sum : sums) total += sum[0];
  return total;
}

__attribute__((target("avx512f"))) float avx512() { return multiply_adds<Floats16>(); }
__attribute__((target("avx2,fma"))) float avx2() { return multiply_adds<Floats8>(); }

struct Loop {
  const char* name;
  int lanes;
  float (*run)();
};

Loop widest() {
  if (__builtin_cpu_supports("avx512f")) return {"avx512", 16, avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", 8, avx2};
  std::fprintf(stderr, "peak: needs a CPU with AVX2 and FMA\n");
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) {
    std::fprintf(stderr, "usage: peak THREADS\n");
    return 1;
  }
  const Loop loop = widest();
  double best = 0;
  float kept = 0;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads) reduction(+ : kept)
    kept += loop.run();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * loop.lanes * kSums * kRounds * threads / seconds.count() / 1e9);
  }
  std::printf("{\"vectors\": \"%s\", \"threads\": %d, \"gflop_per_s\": %.1f, \"check\": %.1f}\n",
              loop.name, threads, best, static_cast<double>(kept));
}
