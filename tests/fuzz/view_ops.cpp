// Ops that move numbers about, each with random inputs and settings.
#include <weft/core/detail/check.h>
#include <weft/tests/fuzz/graph_builder.h>

#include <algorithm>

namespace weft::fuzz {
namespace {

// --- Views and copies ---

Shape random_reshape(Builder& b, const Tensor& x) {
  Shape shape;
  int64_t rest = x.numel();
  for (int64_t d : {2, 3, 4})
    if (rest % d == 0 && b.flip()) {
      shape.push_back(d);
      rest /= d;
    }
  shape.push_back(b.flip() ? -1 : rest);
  return shape;
}

void add_reshape(Builder& b) {
  const size_t x = b.pick();
  const Shape shape = random_reshape(b, b.value(x));
  b.add(fmt::format("reshape {}", shape), {x},
        [shape](const Tensors& in) { return reshape(in[0], shape); });
}

void add_permute(Builder& b) {
  const size_t x = b.pick();
  Shape dims;
  for (int d = 0; d < b.value(x).dim(); ++d) dims.insert(static_cast<int>(b.below(d + 1)), d);
  b.add(fmt::format("permute {}", dims), {x},
        [dims](const Tensors& in) { return permute(in[0], dims); });
}

void add_unsqueeze(Builder& b) {
  const size_t x = b.pick();
  const int d = static_cast<int>(b.below(b.value(x).dim() + 1));
  b.add(fmt::format("unsqueeze {}", d), {x},
        [d](const Tensors& in) { return unsqueeze(in[0], d); });
}

void add_squeeze(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  b.add(fmt::format("squeeze {}", d), {x}, [d](const Tensors& in) { return squeeze(in[0], d); });
}

void add_expand(Builder& b) {
  const size_t x = b.pick();
  Shape shape = b.value(x).shape();
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d] == 1) shape[d] = 1 + b.below(3);
  if (b.flip()) shape.insert(0, 2);
  b.add(fmt::format("expand {}", shape), {x},
        [shape](const Tensors& in) { return expand(in[0], shape); });
}

void add_slice(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const int64_t n = b.value(x).size(d), first = b.below(n), last = first + 1 + b.below(n - first);
  const int64_t step = 1 + b.below(3);
  if (b.flip())
    b.add(fmt::format("slice {}, {}, {}, {}", d, first, last, step), {x},
          [=](const Tensors& in) { return slice(in[0], d, first, last, step); });
  else
    b.add(fmt::format("select {}, {}", d, first), {x},
          [=](const Tensors& in) { return select(in[0], d, first); });
}

void add_flip(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  b.add(fmt::format("flip {}", d), {x}, [d](const Tensors& in) { return flip(in[0], {d}); });
}

void add_copy(Builder& b) {
  if (b.flip())
    b.add("contiguous", {b.pick()}, [](const Tensors& in) { return contiguous(in[0]); });
  else
    b.add("clone", {b.pick()}, [](const Tensors& in) { return clone(in[0]); });
}

// --- Joining, cutting, indexing ---

void add_cat(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const size_t y = b.pick_or_make(b.value(x).shape());
  const int d = b.dim_of(b.value(x));
  if (b.flip())
    b.add(fmt::format("cat {}", d), {x, y, x}, [d](const Tensors& in) { return cat(in, d); });
  else
    b.add(fmt::format("stack {}", d), {x, y}, [d](const Tensors& in) { return stack(in, d); });
}

// Parts of a split, one unused, the others in another order.
void add_split(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const int64_t size = 1 + b.below(2);
  if (b.value(x).size(d) <= size) return;
  b.add(fmt::format("split {}, {}", size, d), {x}, [=](const Tensors& in) {
    Tensors parts = split(in[0], size, d);
    std::reverse(parts.begin(), parts.end());
    if (parts.size() > 2) parts.pop_back();
    return cat(parts, d);
  });
}

void add_pad(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const int64_t before = b.below(3), after = b.below(2);
  b.add(fmt::format("pad {}, {}, {}", d, before, after), {x},
        [=](const Tensors& in) { return pad(in[0], d, before, after, 0.5); });
}

void add_triangle(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() < 2) return;
  const int64_t diagonal = b.below(3) - 1;
  const bool lower = b.flip();
  b.add(fmt::format("{} {}", lower ? "tril" : "triu", diagonal), {x},
        [=](const Tensors& in) { return lower ? tril(in[0], diagonal) : triu(in[0], diagonal); });
}

void add_index_select(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const Tensor index = b.integers({1 + b.below(4)}, b.value(x).size(d));
  b.add(fmt::format("index_select {}", d), {x},
        [=](const Tensors& in) { return index_select(in[0], d, index); });
}

void add_gather(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() == 0) return;
  const int d = b.dim_of(b.value(x));
  const Tensor index = b.integers(b.value(x).shape(), b.value(x).size(d));
  if (b.flip()) {
    b.add(fmt::format("gather {}", d), {x},
          [=](const Tensors& in) { return gather(in[0], d, index); });
    return;
  }
  const size_t y = b.pick_or_make(b.value(x).shape());
  b.add(fmt::format("scatter_add {}", d), {x, y},
        [=](const Tensors& in) { return scatter_add(in[0], d, index, in[1]); });
}

void add_embedding(Builder& b) {
  const size_t x = b.pick();
  if (b.value(x).dim() != 2) return;
  const int64_t rows = b.value(x).size(0);
  const Tensor ids = b.integers({2, 1 + b.below(3)}, rows);
  b.add("embedding", {x}, [=](const Tensors& in) { return embedding(ids, in[0]); });
}

}  // namespace

const std::vector<Maker>& view_ops() {
  static const std::vector<Maker> kMakers{
      add_reshape, add_permute,      add_unsqueeze, add_squeeze,   add_expand,
      add_slice,   add_flip,         add_copy,      add_cat,       add_split,
      add_pad,     add_index_select, add_gather,    add_embedding, add_triangle};
  return kMakers;
}

}  // namespace weft::fuzz
