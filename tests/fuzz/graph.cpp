#include <weft/autograd/graph/grad_mode.h>
#include <weft/core/detail/check.h>
#include <weft/tests/fuzz/graph_builder.h>

#include <cmath>

namespace weft::fuzz {
namespace {

constexpr int64_t kMostElements = 48;
constexpr double kLargest = 4;

bool suits(const Tensor& t) {
  if (!t.defined() || t.numel() == 0 || t.numel() > kMostElements || t.dim() > 5) return false;
  const double largest = max(abs(t)).item();
  return std::isfinite(sum(t).item()) && largest <= kLargest;
}

}  // namespace

std::vector<size_t> Graph::leaves() const {
  std::vector<size_t> found;
  for (size_t i = 0; i < values.size(); ++i)
    if (!values[i].f) found.push_back(i);
  return found;
}

std::vector<size_t> Graph::sinks() const {
  std::vector<bool> used(values.size(), false);
  for (const Value& v : values)
    for (size_t i : v.inputs) used[i] = true;
  std::vector<size_t> found;
  for (size_t i = 0; i < values.size(); ++i)
    if (!used[i] && values[i].f) found.push_back(i);
  return found;
}

Builder::Builder(uint64_t seed) : generator_(seed) {
  make_leaf({2, 3});
  make_leaf({1 + below(4), 1 + below(4)});
}

size_t Builder::pick() {
  const auto n = static_cast<int64_t>(size());
  const int64_t recent = std::min<int64_t>(n, 3);
  return static_cast<size_t>(flip() ? n - 1 - below(recent) : below(n));
}

size_t Builder::pick_or_make(const Shape& shape) {
  for (int tries = 0; tries < 4; ++tries)
    if (const size_t i = pick(); value(i).shape() == shape) return i;
  return make_leaf(shape);
}

size_t Builder::make_leaf(const Shape& shape) {
  Tensor t = normal(shape);
  if (t.dim() >= 2 && flip()) {  // stored transposed
    Shape stored = shape;
    std::swap(stored[0], stored[1]);
    t = transpose(normal(stored), 0, 1);
  }
  graph_.values.push_back({"leaf" + weft::to_string(shape), {}, nullptr, t});
  tensors_.push_back(t);
  return size() - 1;
}

void Builder::add(const std::string& what, const std::vector<size_t>& inputs,
                  std::function<Tensor(const Tensors&)> f) {
  NoGrad no_grad;
  Tensors in;
  std::string text = what + ":";
  for (size_t i : inputs) {
    in.push_back(value(i));
    text += fmt::format(" v{}", i);
  }
  const Tensor y = f(in);
  if (!suits(y)) return;
  graph_.values.push_back({text + " -> " + weft::to_string(y.shape()), inputs, std::move(f), {}});
  tensors_.push_back(y);
  ++ops_;
}

int Builder::dim_of(const Tensor& t) {
  const int d = static_cast<int>(below(t.dim()));
  return below(3) == 0 ? d - t.dim() : d;
}

Tensor Builder::booleans(const Shape& shape, double p) {
  NoGrad no_grad;
  return lt(rand(shape, generator_, kFloat64), p);
}

Graph random_graph(uint64_t seed, int64_t steps) {
  Builder b(seed);
  for (int64_t done = 0; done < steps;) {
    const int64_t kind = b.below(4);
    const auto& makers = kind == 0 ? view_ops() : kind == 1 ? sample_ops() : number_ops();
    const size_t before = b.ops();
    makers[static_cast<size_t>(b.below(static_cast<int64_t>(makers.size())))](b);
    done += b.ops() > before;
  }
  return b.take();
}

std::string to_string(const Graph& graph) {
  std::string text;
  for (size_t i = 0; i < graph.values.size(); ++i)
    text += fmt::format("  v{} = {}\n", i, graph.values[i].text);
  return text;
}

}  // namespace weft::fuzz
