// The floor under a training step: only its matrix products, straight through OpenBLAS. Prints a
// line of JSON for the sizes given, or OpenBLAS's kernels and rate with --probe:
//   gemm_floor THREADS d_model,ffn,heads,encoder,decoder,vocabulary,batch,source,target
//   gemm_floor --probe
// Counted are the products of forward and backward of an encoder-decoder transformer, packed as
// large as the maths allows (queries, keys and values of self-attention in one product, keys and
// values of cross-attention in another), and those of attention head by head. The floor is the
// faster of two ways to use the threads: OpenBLAS's own, or each thread calling it for a block of
// rows of its own.
#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace {

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median_ms(const std::function<void()>& work, int runs) {
  work();  // buffers are allocated here
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(milliseconds(work));
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

struct Product {
  CBLAS_TRANSPOSE left, right;
  int rows, columns, inner;
};

// Products on the same three buffers, whose values do not matter for the time.
class Products {
 public:
  Products(int threads, bool row_blocks) : threads_(threads), row_blocks_(row_blocks) {
    openblas_set_num_threads(row_blocks ? 1 : threads);
  }

  double flops() const { return flops_; }

  void run(const Product& p) {
    count(p);
    if (!row_blocks_ || threads_ == 1) return call(p, 0, p.rows);
    // OpenBLAS's kernels take rows in blocks that divide 48.
    const int cells = std::max(1, p.rows / 48);
#pragma omp parallel num_threads(threads_)
    {
      const int me = omp_get_thread_num();
      const int first = cells * me / threads_, last = cells * (me + 1) / threads_;
      if (first < last) call(p, first * 48, last == cells ? p.rows : last * 48);
    }
  }

  // The same products for each of `count` heads: small ones, so that a thread takes whole heads.
  void run_each(int heads, const std::vector<Product>& products) {
    for (const Product& p : products) count(p, heads);
#pragma omp parallel for num_threads(row_blocks_ ? threads_ : 1)
    for (int head = 0; head < heads; ++head)
      for (const Product& p : products) call(p, 0, p.rows);
  }

 private:
  void count(const Product& p, int times = 1) {
    const auto size = [](int a, int b) {
      return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
    };
    grow(left_, size(p.rows, p.inner));
    grow(right_, size(p.inner, p.columns));
    grow(result_, size(p.rows, p.columns));
    flops_ += 2.0 * times * p.rows * p.columns * p.inner;
  }
  static void grow(std::vector<float>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.assign(size, 0.5f);
  }
  void call(const Product& p, int first, int last) {
    const bool transposed = p.left == CblasTrans;
    const std::size_t skip = static_cast<std::size_t>(first);
    cblas_sgemm(CblasRowMajor, p.left, p.right, last - first, p.columns, p.inner, 1.0f,
                left_.data() + (transposed ? skip : skip * static_cast<std::size_t>(p.inner)),
                transposed ? p.rows : p.inner, right_.data(),
                p.right == CblasTrans ? p.inner : p.columns, 0.0f,
                result_.data() + skip * static_cast<std::size_t>(p.columns), p.columns);
  }

  int threads_;
  bool row_blocks_;
  double flops_ = 0;
  std::vector<float> left_, right_, result_;
};

// y = x W^T, dx = dy W, dW = dy^T x
void linear(Products& products, int rows, int in, int out) {
  products.run({CblasNoTrans, CblasTrans, rows, out, in});
  products.run({CblasNoTrans, CblasNoTrans, rows, in, out});
  products.run({CblasTrans, CblasNoTrans, out, in, rows});
}

void attention(Products& products, int heads, int queries, int keys, int width) {
  const Product scores{CblasNoTrans, CblasTrans, queries, keys, width};  // Q K^T; the same: dO V^T
  const Product output{CblasNoTrans, CblasNoTrans, queries, width, keys};  // P V; the same: dS K
  const Product to_keys{CblasTrans, CblasNoTrans, keys, width,
                        queries};  // P^T dO; the same: dS^T Q
  products.run_each(heads, {scores, output, scores, to_keys, output, to_keys});
}

struct Sizes {
  int d_model, ffn, heads, encoder, decoder, vocabulary, batch, source, target;
};

void training_step(Products& products, const Sizes& n) {
  const int source = n.batch * n.source, target = n.batch * n.target;
  const int heads = n.batch * n.heads, width = n.d_model / n.heads, d = n.d_model;
  const auto self_attention = [&](int rows, int length) {
    linear(products, rows, d, 3 * d);
    attention(products, heads, length, length, width);
    linear(products, rows, d, d);
  };
  const auto feed_forward = [&](int rows) {
    linear(products, rows, d, n.ffn);
    linear(products, rows, n.ffn, d);
  };
  for (int layer = 0; layer < n.encoder; ++layer) {
    self_attention(source, n.source);
    feed_forward(source);
  }
  for (int layer = 0; layer < n.decoder; ++layer) {
    self_attention(target, n.target);
    linear(products, target, d, d);
    linear(products, source, d, 2 * d);
    attention(products, heads, n.target, n.source, width);
    linear(products, target, d, d);
    feed_forward(target);
  }
  linear(products, target, d, n.vocabulary);
}

void print_floor(int threads, const Sizes& n) {
  double ms[2], gflop = 0;
  for (const bool row_blocks : {false, true}) {
    Products products(threads, row_blocks);
    ms[row_blocks] = median_ms([&] { training_step(products, n); }, n.d_model < 64 ? 200 : 7);
    Products once(threads, row_blocks);
    training_step(once, n);
    gflop = once.flops() / 1e9;
  }
  const double best = std::min(ms[0], ms[1]);
  std::printf("{\"ms\": %.4f, \"openblas_threads_ms\": %.4f, \"row_blocks_ms\": %.4f, ", best,
              ms[0], ms[1]);
  std::printf("\"gflop\": %.3f, \"gflop_per_s\": %.1f}\n", gflop, gflop / best * 1e3);
}

// One thread on a product that fills the caches, as training has them.
void print_probe() {
  Products products(1, false);
  const Product p{CblasNoTrans, CblasTrans, 768, 768, 768};
  const double ms = median_ms([&] { products.run(p); }, 15);
  std::printf("{\"core\": \"%s\", \"gflop_per_s\": %.1f}\n", openblas_get_corename(),
              2 * 768.0 * 768 * 768 / ms / 1e6);
}

bool parse(const char* text, Sizes& n) {
  return std::sscanf(text, "%d,%d,%d,%d,%d,%d,%d,%d,%d", &n.d_model, &n.ffn, &n.heads, &n.encoder,
                     &n.decoder, &n.vocabulary, &n.batch, &n.source, &n.target) == 9;
}

}  // namespace

int main(int argc, char** argv) {
  Sizes sizes{};
  const int threads = argc == 3 ? std::atoi(argv[1]) : 0;
  if (argc == 2 && std::strcmp(argv[1], "--probe") == 0) {
    print_probe();
  } else if (threads > 0 && parse(argv[2], sizes)) {
    print_floor(threads, sizes);
  } else {
    std::fprintf(stderr,
                 "usage: gemm_floor THREADS "
                 "D_MODEL,FFN,HEADS,ENCODER,DECODER,VOCABULARY,BATCH,SOURCE,TARGET\n"
                 "       gemm_floor --probe\n");
    return 1;
  }
}
