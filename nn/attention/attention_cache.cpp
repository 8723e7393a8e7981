#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/parallel.h>
#include <weft/nn/attention/attention_cache.h>

#include <algorithm>
#include <span>

namespace weft {
namespace {

// Copies `rows` [B, H, T, Dh] into `buffer` from position `at` on.
void write_rows(Tensor& buffer, const Tensor& rows, int64_t at) {
  const Tensor source = contiguous(rows);
  dispatch(buffer.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* into = buffer.mutable_data<T>("attention cache") + at * buffer.strides()[2];
    kernels::scatter_strided(source.data<T>(), source.shape(), buffer.strides(), into);
  });
}

constexpr double kMoveCost = 0.25;  // nanoseconds for a number

void check_rows(const Tensor& index, int64_t rows) {
  check(index.dtype() == kInt64 && index.dim() == 1,
        "attention cache: rows are given as int64 [B]; got {} {}", to_string(index.dtype()),
        index.shape());
  const Tensor dense = contiguous(index);
  for (const int64_t row : std::span(dense.data<int64_t>(), static_cast<size_t>(dense.numel())))
    check(row >= 0 && row < rows, "attention cache: rows must be in [0, {}); got {}", rows, row);
}

// Whether row i stays row i for all of them, as where no beam was left and no sentence ended.
bool leaves_in_place(const Tensor& index, int64_t rows) {
  if (index.dtype() != kInt64 || index.shape() != Shape{rows}) return false;
  const Tensor dense = contiguous(index);
  const int64_t* at = dense.data<int64_t>();
  for (int64_t i = 0; i < rows; ++i)
    if (at[i] != i) return false;
  return true;
}

// Rows [B, H, capacity, Dh] of a buffer at `index`, as far as their first `length` positions.
Tensor rows_at(const Tensor& buffer, const Tensor& index, int64_t length) {
  Shape shape = buffer.shape();
  shape[0] = index.numel();
  Tensor rows(shape, buffer.dtype());
  const int64_t heads = shape[1], head = shape[2] * shape[3], used = length * shape[3];
  dispatch(buffer.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = buffer.data<T>();
    T* into = rows.mutable_data<T>("attention cache");
    const int64_t* at = index.data<int64_t>();
    parallel_for(shape[0], grain_of_cost(kMoveCost * static_cast<double>(heads * used)),
                 [=](int64_t begin, int64_t end) {
                   for (int64_t i = begin * heads; i < end * heads; ++i)
                     std::copy_n(from + (at[i / heads] * heads + i % heads) * head, used,
                                 into + i * head);
                 });
  });
  return rows;
}

}  // namespace

void AttentionCache::append_to(Tensor& buffer, const Tensor& more) const {
  constexpr int64_t kSmallest = 16;
  const int64_t needed = length_ + more.size(2);
  if (!buffer.defined() || buffer.size(2) < needed) {
    Shape shape = more.shape();
    shape[2] = kind_ == Kind::fixed ? needed : std::max(2 * needed, kSmallest);
    Tensor larger(shape, more.dtype());
    if (length_ > 0) write_rows(larger, slice(buffer, 2, 0, length_), 0);
    buffer = larger;
  }
  write_rows(buffer, more, length_);
}

KeysValues AttentionCache::contents() const {
  return {slice(keys_, 2, 0, length_), slice(values_, 2, 0, length_)};
}

KeysValues AttentionCache::append(const KeysValues& more) {
  check(!more.keys.requires_grad() && !more.values.requires_grad(),
        "attention cache: kept keys and values have no gradient; decode under NoGrad");
  const Shape &kept = keys_.defined() ? keys_.shape() : more.keys.shape(),
              &added = more.keys.shape();
  check(kept[0] == added[0] && kept[1] == added[1] && kept[3] == added[3],
        "attention cache: keys of shape {} do not continue those of shape {}", added, kept);
  append_to(keys_, more.keys);
  append_to(values_, more.values);
  length_ += added[2];
  return contents();
}

void AttentionCache::reorder(const Tensor& index) {
  if (length_ == 0 || leaves_in_place(index, keys_.size(0))) return;
  check_rows(index, keys_.size(0));
  const Tensor rows = contiguous(index);
  keys_ = rows_at(keys_, rows, length_);
  values_ = rows_at(values_, rows, length_);
}

}  // namespace weft
