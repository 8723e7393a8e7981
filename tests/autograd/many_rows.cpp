// Ops on more rows than one thread takes: every thread finds its part of every operand, forward and
// backward. The calls are those that the ops register as samples, one of their dims made long and
// the others wide.
//   - With three threads they give the bits that one gives, which takes all rows as one piece.
//   - Where each row of a result depends on the same row of the inputs alone, as a split of the
//     sample as it is shows, they equal the same calls on a few rows at a time.
#include <fmt/format.h>
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/parallel.h>
#include <weft/tests/autograd/sample_variants.h>
#include <weft/tests/catch.h>
#include <weft/tests/report.h>
#include <weft/tests/sanitized.h>

#include <algorithm>
#include <cstring>
#include <exception>

using namespace weft;

namespace {

constexpr int64_t kMany = 3000, kFewer = 1000, kPart = 250, kWidth = 17, kMostElements = 100'000;
constexpr int kEach = kSanitized ? 4 : 1;  // of so many calls one is tried

bool floating(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

struct Result {
  Tensors ys, gradients;  // of sum y^2, undefined for inputs without one
};

Result evaluate(const SampleFunction& f, const Tensors& inputs) {
  Tensors xs, wanted;
  for (const Tensor& t : inputs) {
    xs.push_back(floating(t) ? t.detach().set_requires_grad() : t);
    if (floating(t)) wanted.push_back(xs.back());
  }
  Result r{f(xs), Tensors(inputs.size())};
  Tensor total = zeros({}, kFloat64);
  for (const Tensor& y : r.ys)
    if (floating(y)) total = total + sum(y * y);
  if (!total.requires_grad()) return r;
  const Tensors found = grad({total}, wanted, {.allow_unused = true});
  for (size_t i = 0, next = 0; i < inputs.size(); ++i)
    if (floating(inputs[i])) r.gradients[i] = found[next++];
  return r;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  const Tensor x = to(contiguous(a.detach()), kFloat64), y = to(contiguous(b.detach()), kFloat64);
  const auto bytes = static_cast<size_t>(x.numel()) * sizeof(double);
  return a.shape() == b.shape() &&
         (bytes == 0 || std::memcmp(x.data<double>(), y.data<double>(), bytes) == 0);
}

bool same_bits(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

bool close(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.shape() != b.shape()) return false;
  const Tensor x = to(a.detach(), kFloat64), y = to(b.detach(), kFloat64);
  return x.numel() == 0 || max(abs(x - y) / maximum(abs(y), ones({}, kFloat64))).item() < 1e-11;
}

// The dim of this size, -1 if there is none or there are several.
int dim_of(const Tensor& t, int64_t size) {
  int found = -1;
  for (int d = 0; t.defined() && d < t.dim(); ++d) {
    if (t.size(d) == size && found >= 0) return -1;
    if (t.size(d) == size) found = d;
  }
  return found;
}

// Parts of the calls, put together again: what has rows along its dim of `size`, the rest by sums.
class InParts {
 public:
  InParts(const SampleFunction& f, Tensors inputs, int64_t size, int64_t part)
      : inputs_(std::move(inputs)), size_(size) {
    for (int64_t first = 0; first < size; first += part)
      parts_.push_back(evaluate(f, rows(first, std::min(size, first + part))));
  }

  bool equal(const Result& whole) const { return equal_values(whole) && equal_gradients(whole); }

 private:
  Tensors rows(int64_t first, int64_t last) const {
    Tensors part;
    for (const Tensor& t : inputs_) {
      const int d = dim_of(t, size_);
      part.push_back(d < 0 ? t : slice(t, d, first, last));
    }
    return part;
  }

  bool equal_values(const Result& whole) const {
    for (size_t k = 0; k < whole.ys.size(); ++k) {
      const int d = dim_of(whole.ys[k], size_);
      if (d < 0) return false;
      Tensors ys;
      for (const Result& part : parts_) {
        if (part.ys.size() != whole.ys.size() || part.ys[k].dim() != whole.ys[k].dim())
          return false;
        ys.push_back(part.ys[k].detach());
      }
      if (!joins(ys, d, whole.ys[k].shape()) || !close(cat(ys, d), whole.ys[k])) return false;
    }
    return true;
  }

  // Whether pieces may be put together along d, to this shape.
  static bool joins(const Tensors& pieces, int d, const Shape& whole) {
    int64_t size = 0;
    for (const Tensor& t : pieces) {
      Shape rest = t.shape();
      size += rest[d];
      rest[d] = whole[d];
      if (rest != whole) return false;
    }
    return size == whole[d];
  }

  bool equal_gradients(const Result& whole) const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!whole.gradients[i].defined()) continue;
      const int d = dim_of(inputs_[i], size_);
      Tensors found;
      for (const Result& part : parts_) {
        if (!part.gradients[i].defined()) return false;
        found.push_back(part.gradients[i]);
      }
      const Tensor together = d < 0 ? sum(stack(found, 0), {0}) : cat(found, d);
      if (!close(together, whole.gradients[i])) return false;
    }
    return true;
  }

  Tensors inputs_;
  int64_t size_;
  std::vector<Result> parts_;
};

// Whether rows one by one are the whole.
bool is_rowwise(const SampleFunction& f, const Tensors& inputs, int64_t size) {
  try {
    return InParts(f, inputs, size, 1).equal(evaluate(f, inputs));
  } catch (const std::exception&) {
    return false;
  }
}

// Whether `size` names one dim of every input at most.
bool is_clear(const Tensors& inputs, int64_t size) {
  return std::all_of(inputs.begin(), inputs.end(),
                     [&](const Tensor& t) { return dim_of(t, size) >= 0 || !has_size({t}, size); });
}

// The inputs with their other dims wide, where the call allows it and they stay small.
Tensors widened(const SampleFunction& f, Tensors inputs, int64_t size) {
  for (const int64_t other : sizes_of(inputs)) {
    if (other == size) continue;
    const Tensors wide = resized(inputs, other, kWidth);
    if (numel_of(wide) * kMany <= kMostElements * size && takes(f, wide)) inputs = wide;
  }
  return inputs;
}

struct Tally {
  int calls = 0, in_parts = 0;
};

// Several inputs may be multiplied rows with rows: fewer of them then.
int64_t many_of(const Tensors& inputs, int64_t size) {
  const auto with_rows = std::count_if(inputs.begin(), inputs.end(),
                                       [&](const Tensor& t) { return has_size({t}, size); });
  return with_rows > 1 ? kFewer : kMany;
}

void sweep(Tally& tally, const std::string& name, const Sample& s, int64_t size) {
  if (!is_clear(s.inputs, size)) return;
  const int64_t rows = many_of(s.inputs, size);
  const Tensors few = widened(s.f, s.inputs, size), many = resized(few, size, rows);
  if (numel_of(many) > kMostElements || !takes(s.f, many)) return;
  INFO(name << ", " << size << " at size " << rows);
  set_num_threads(3);
  const Result whole = evaluate(s.f, many);
  set_num_threads(1);
  const Result one = evaluate(s.f, many);
  CHECK(same_bits(whole.ys, one.ys));
  CHECK(same_bits(whole.gradients, one.gradients));
  ++tally.calls;
  if (!is_rowwise(s.f, few, size)) return;
  CHECK(InParts(s.f, many, rows, kPart).equal(whole));
  ++tally.in_parts;
}

}  // namespace

TEST_CASE("ops on many rows equal the same ops on few, at any number of threads") {
  const int before = num_threads();
  int in_parts = 0;
  std::string table =
      fmt::format("{:<34} {:>7} {:>9}\n", "calls on many rows", "threads", "in parts");
  int call = 0;
  for (const Op* op : swept_ops()) {
    Tally tally;
    for (const auto& [name, sample] : samples_of(*op))
      for (const int64_t size : sizes_of(sample.inputs))
        if (call++ % kEach == 0) sweep(tally, name, sample, size);
    in_parts += tally.in_parts;
    auto count = [](int n) { return n ? std::to_string(n) : "-"; };
    table +=
        fmt::format("{:<34} {:>7} {:>9}\n", op->name, count(tally.calls), count(tally.in_parts));
  }
  set_num_threads(before);
  CHECK(in_parts > 250 / kEach);
  write_report("many_rows", table);
}
