#include <fmt/format.h>
#include <weft/autograd/ops.h>
#include <weft/tests/autograd/sample_variants.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <set>

namespace weft {
namespace {

bool floating(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

// Which of `from` rows stand at `to` places.
Tensor rows_for(int64_t from, int64_t to, Generator& generator) {
  return to <= from ? arange(to) : randint(from, {to}, generator);
}

Tensor at_most(const Tensor& integers, int64_t largest) {
  std::vector<int64_t> values = integers.to_vector<int64_t>();
  for (int64_t& v : values) v = std::min(v, largest);
  Tensor t(integers.shape(), kInt64);
  std::copy(values.begin(), values.end(), t.mutable_data<int64_t>());
  return t;
}

bool finite(const Tensor& t) {
  if (!floating(t)) return true;
  const auto values = to(t.detach(), kFloat64).to_vector<double>();
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

std::vector<const Op*> swept_ops() {
  std::vector<const Op*> ops = registered_ops();
  std::erase_if(ops, [](const Op* op) { return std::string(op->name).starts_with("test_"); });
  return ops;
}

std::vector<std::pair<std::string, Sample>> samples_of(const Op& op) {
  Samples samples;
  op.samples(samples);
  std::vector<std::pair<std::string, Sample>> named;
  for (const Sample& s : samples.samples())
    named.emplace_back(fmt::format("{}/{}", op.name, s.name), s);
  return named;
}

std::vector<int64_t> sizes_of(const Tensors& inputs) {
  std::set<int64_t> sizes;
  for (const Tensor& t : inputs)
    for (int d = 0; t.defined() && d < t.dim(); ++d)
      if (t.size(d) > 1) sizes.insert(t.size(d));
  return {sizes.begin(), sizes.end()};
}

Tensors resized(const Tensors& inputs, int64_t from, int64_t to) {
  const NoGrad no_grad;
  Generator generator(5);
  const Tensor rows = rows_for(from, to, generator);
  Tensors out;
  for (const Tensor& t : inputs) {
    Tensor y = t.defined() ? t.detach() : t;
    for (int d = 0; t.defined() && d < t.dim(); ++d)
      if (t.size(d) == from) y = index_select(y, d, rows);
    if (floating(y) && to > from) y = y * (1 - rand(y.shape(), generator, kFloat64) * 0.1);
    if (t.defined() && t.dtype() == kInt64 && 0 < to && to < from) y = at_most(y, to - 1);
    out.push_back(y);
  }
  return out;
}

Tensors lifted(Tensors inputs, bool all) {
  const NoGrad no_grad;
  const size_t count = all ? inputs.size() : 1;
  int rank = 0;
  for (size_t i = 0; i < count; ++i)
    if (inputs[i].defined()) rank = std::max(rank, inputs[i].dim());
  for (size_t i = 0; i < count; ++i)
    for (int more = rank; inputs[i].defined() && more < kMaxRank; ++more)
      inputs[i] = unsqueeze(inputs[i], 0);
  return inputs;
}

bool takes(const SampleFunction& f, const Tensors& inputs) {
  try {
    const Tensors ys = f(inputs);
    return std::all_of(ys.begin(), ys.end(), finite);
  } catch (const std::exception&) {
    return false;
  }
}

bool has_size(const Tensors& inputs, int64_t size) {
  for (const Tensor& t : inputs)
    for (int d = 0; t.defined() && d < t.dim(); ++d)
      if (t.size(d) == size) return true;
  return false;
}

int64_t numel_of(const Tensors& inputs) {
  int64_t n = 0;
  for (const Tensor& t : inputs)
    if (t.defined()) n += t.numel();
  return n;
}

}  // namespace weft
