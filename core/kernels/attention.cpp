// Attention: which thread takes which blocks.
#include <weft/core/allocator.h>
#include <weft/core/cpu.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/attention_blocks.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <atomic>

namespace weft::kernels {
namespace {

constexpr int64_t kAttentionGrain = 200000;  // multiply-adds worth a thread's wake-up
constexpr int64_t kCells = 8;                // that backward should be cut into

/// Scratch memory for every range of one parallel_for, which are at most num_threads(). One block,
/// so that what the allocator is asked for does not depend on which thread is free.
template <class T>
class ScratchOfRanges {
 public:
  explicit ScratchOfRanges(int64_t size)
      : size_((size + kBlockQueries - 1) / kBlockQueries * kBlockQueries),
        ranges_(num_threads()),
        all_(size_ * ranges_) {}

  T* next() {
    const int64_t i = taken_.fetch_add(1, std::memory_order_relaxed);
    check(i < ranges_, "attention: set_num_threads was called while it ran");
    return all_.data() + i * size_;
  }

 private:
  int64_t size_, ranges_;
  Scratch<T> all_;
  std::atomic<int64_t> taken_ = 0;
};

/// Items worth one thread, where each costs `rows` queries against all keys.
template <class T>
int64_t grain_for(const Attention<T>& a, int64_t rows) {
  const int64_t work = rows * a.keys * (a.width + a.value_width);
  return std::max<int64_t>(1, kAttentionGrain / std::max<int64_t>(work, 1));
}

/// So many that there are kCells cells, if the keys have as many blocks.
template <class T>
int64_t groups_of_keys(const Attention<T>& a) {
  const int64_t heads = a.batch * a.heads, blocks = (a.keys + kBlockKeys - 1) / kBlockKeys;
  return heads == 0 ? 1 : std::clamp<int64_t>(kCells / heads, 1, std::max<int64_t>(blocks, 1));
}

/// dq += the shares of the other groups, one after another.
template <class T>
void add_shares(const Attention<T>& a, const AttentionGrad<T>& g, const KeyGroups<T>& groups) {
  const int64_t rows = a.batch * a.heads * a.queries;
  parallel_for(
      rows, std::max<int64_t>(1, kAttentionGrain / (groups.count * std::max<int64_t>(a.width, 1))),
      [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) {
          const int64_t head = r / a.queries;
          T* dq = g.dq + head / a.heads * g.dq_at.batch + head % a.heads * g.dq_at.head +
                  r % a.queries * g.dq_at.row;
          for (int64_t part = 0; part < groups.count - 1; ++part)
            add_inplace<T>(dq, groups.dq + (part * rows + r) * a.width, a.width);
        }
      });
}

}  // namespace

template <class T>
void attention(const Attention<T>& a, T* y, HeadStrides y_at, const SoftmaxRows<T>& rows) {
  const int64_t blocks = (a.queries + kBlockQueries - 1) / kBlockQueries;
  ScratchOfRanges<T> scratch(attention_scratch<T>(a));
  parallel_for(a.batch * a.heads * blocks, grain_for(a, std::min(a.queries, kBlockQueries)),
               [&](int64_t first, int64_t last) {
                 const FlushSubnormals flush;
                 attention_blocks<T>(a, y, y_at, rows, scratch.next(), first, last);
               });
}

template <class T>
void attention_grad(const Attention<T>& a, const AttentionGrad<T>& g) {
  const int64_t count = groups_of_keys(a);
  const Scratch<T> shares((count - 1) * a.batch * a.heads * a.queries * a.width);
  const KeyGroups<T> groups{count, shares.data()};
  ScratchOfRanges<T> scratch(attention_grad_scratch<T>(a));
  parallel_for(a.batch * a.heads * count, grain_for(a, (a.queries + count - 1) / count),
               [&](int64_t first, int64_t last) {
                 const FlushSubnormals flush;
                 attention_grad_cells<T>(a, g, groups, scratch.next(), first, last);
               });
  if (count > 1) add_shares(a, g, groups);
}

WEFT_INSTANTIATE(attention, float, double)
WEFT_INSTANTIATE(attention_grad, float, double)

}  // namespace weft::kernels
