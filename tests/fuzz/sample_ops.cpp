// Every registered op at the numbers of its samples, moved a little by values of the graph: an op
// is among the random graphs as soon as it is registered.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/core/detail/check.h>
#include <weft/tests/fuzz/graph_builder.h>

#include <algorithm>

namespace weft::fuzz {
namespace {

// Less than samples keep from kinks and ties, and than twice what these graphs keep.
constexpr double kReach = 0.005;
constexpr int64_t kMostElements = 24;  // of an input

struct Call {
  std::string name;
  Sample sample;
};

bool floating(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

bool suits(const Sample& s) {
  return std::none_of(s.inputs.begin(), s.inputs.end(), [](const Tensor& t) {
    return floating(t) && (t.numel() == 0 || t.numel() > kMostElements);
  });
}

const std::vector<Call>& calls() {
  static const std::vector<Call> all = [] {
    std::vector<Call> found;
    for (const Op* op : registered_ops()) {
      Samples samples;
      op->samples(samples);
      for (const Sample& s : samples.samples())
        if (suits(s)) found.push_back({fmt::format("{} of sample {}", op->name, s.name), s});
    }
    return found;
  }();
  return all;
}

void add_sample(Builder& b) {
  const Call& call = calls()[static_cast<size_t>(b.below(static_cast<int64_t>(calls().size())))];
  std::vector<size_t> values;
  for (const Tensor& t : call.sample.inputs)
    if (floating(t)) values.push_back(b.pick_or_make(t.shape()));
  b.add(call.name, values, [&s = call.sample](const Tensors& in) {
    Tensors at, parts;
    for (size_t next = 0; const Tensor& t : s.inputs)
      at.push_back(floating(t) ? t + tanh(in[next++]) * kReach : t);
    for (const Tensor& y : s.f(at))
      if (floating(y)) parts.push_back(reshape(y, {-1}));
    return tanh(cat(parts, 0) / 4);
  });
}

}  // namespace

const std::vector<Maker>& sample_ops() {
  static const std::vector<Maker> kMakers{add_sample};
  return kMakers;
}

}  // namespace weft::fuzz
