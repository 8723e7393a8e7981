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

/// Groups of `length` keys or queries of a head: so many that there are kCells cells, if there are
/// as many blocks.
template <class T>
int64_t groups_of(const Attention<T>& a, int64_t length, int64_t block) {
  const int64_t heads = a.batch * a.heads, blocks = (length + block - 1) / block;
  return heads == 0 ? 1 : std::clamp<int64_t>(kCells / heads, 1, std::max<int64_t>(blocks, 1));
}

/// y [B, H, length, width] += `count` shares of that shape, one after another.
template <class T>
void add_shares(const Attention<T>& a, int64_t length, int64_t width, const T* shares,
                int64_t count, T* y, const HeadStrides& at) {
  const int64_t rows = count > 0 ? a.batch * a.heads * length : 0;
  parallel_for(
      rows, std::max<int64_t>(1, kAttentionGrain / ((count + 1) * std::max<int64_t>(width, 1))),
      [&](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; ++r) {
          const int64_t head = r / length;
          T* row = y + head / a.heads * at.batch + head % a.heads * at.head + r % length * at.row;
          for (int64_t part = 0; part < count; ++part)
            add_inplace<T>(row, shares + (part * rows + r) * width, width);
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
  const int64_t count = groups_of(a, a.keys, kBlockKeys);
  const Scratch<T> shares((count - 1) * a.batch * a.heads * a.queries * a.width);
  const KeyGroups<T> groups{count, shares.data()};
  ScratchOfRanges<T> scratch(attention_grad_scratch<T>(a));
  parallel_for(a.batch * a.heads * count, grain_for(a, (a.queries + count - 1) / count),
               [&](int64_t first, int64_t last) {
                 const FlushSubnormals flush;
                 attention_grad_cells<T>(a, g, groups, scratch.next(), first, last);
               });
  add_shares(a, a.queries, a.width, groups.dq, count - 1, g.dq, g.dq_at);
}

template <class T>
void attention_tangent(const Attention<T>& a, const AttentionGrad<T>& g,
                       const AttentionTangent<T>& t) {
  const int64_t count = groups_of(a, a.queries, kBlockQueries);
  const int64_t rows = g.dq ? (count - 1) * a.batch * a.heads * a.keys : 0;
  const Scratch<T> dk(rows * a.width), dv(rows * a.value_width);
  const QueryGroups<T> groups{count, dk.data(), dv.data()};
  ScratchOfRanges<T> scratch(attention_tangent_scratch<T>(a));
  parallel_for(a.batch * a.heads * count, grain_for(a, (a.queries + count - 1) / count),
               [&](int64_t first, int64_t last) {
                 const FlushSubnormals flush;
                 attention_tangent_cells<T>(a, g, t, groups, scratch.next(), first, last);
               });
  if (!g.dq) return;
  add_shares(a, a.keys, a.width, groups.dk, count - 1, g.dk, g.dk_at);
  add_shares(a, a.keys, a.value_width, groups.dv, count - 1, g.dv, g.dv_at);
}

WEFT_INSTANTIATE(attention, float, double)
WEFT_INSTANTIATE(attention_grad, float, double)
WEFT_INSTANTIATE(attention_tangent, float, double)

}  // namespace weft::kernels
