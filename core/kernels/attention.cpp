// Attention: which thread takes which blocks.
#include <weft/core/allocator.h>
#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/attention_blocks.h>
#include <weft/core/parallel.h>

#include <algorithm>

namespace weft::kernels {
namespace {

constexpr int64_t kWork = 200000;  // multiply-adds worth a thread's wake-up

template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t n)
      : data_(static_cast<T*>(allocate(static_cast<size_t>(n) * sizeof(T), capacity_))) {}
  ~Scratch() { deallocate(data_, capacity_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  size_t capacity_ = 0;
  T* data_;
};

/// Items worth one thread, where each costs `rows` queries against all keys.
template <class T>
int64_t grain_for(const Attention<T>& a, int64_t rows) {
  const int64_t work = rows * a.keys * (a.width + a.value_width);
  return std::max<int64_t>(1, kWork / std::max<int64_t>(work, 1));
}

}  // namespace

template <class T>
void attention(const Attention<T>& a, T* y, HeadStrides y_at, T* lse) {
  const int64_t blocks = (a.queries + kBlockQueries - 1) / kBlockQueries;
  parallel_for(a.batch * a.heads * blocks, grain_for(a, std::min(a.queries, kBlockQueries)),
               [&](int64_t first, int64_t last) {
                 const Scratch<T> scratch(attention_scratch(a));
                 attention_blocks(a, y, y_at, lse, scratch.data(), first, last);
               });
}

template <class T>
void attention_grad(const Attention<T>& a, const AttentionGrad<T>& g) {
  parallel_for(a.batch * a.heads, grain_for(a, a.queries), [&](int64_t first, int64_t last) {
    const Scratch<T> scratch(attention_grad_scratch(a));
    attention_grad_heads(a, g, scratch.data(), first, last);
  });
}

template void attention(const Attention<float>&, float*, HeadStrides, float*);
template void attention(const Attention<double>&, double*, HeadStrides, double*);
template void attention_grad(const Attention<float>&, const AttentionGrad<float>&);
template void attention_grad(const Attention<double>&, const AttentionGrad<double>&);

}  // namespace weft::kernels
