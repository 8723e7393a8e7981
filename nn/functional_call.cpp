#include <weft/core/detail/check.h>
#include <weft/nn/functional_call.h>

#include <algorithm>

namespace weft::detail {
namespace {

std::string describe(const Tensor& t) {
  return t.defined() ? fmt::format("{} {}", t.shape(), to_string(t.dtype())) : "undefined";
}

class Pairs {
 public:
  void add(const std::string& name, const Tensor& own, const Tensor& given) {
    check(given.defined() && given.shape() == own.shape() && given.dtype() == own.dtype(),
          "functional_call: expected \"{}\" to be {}; got {}", name, describe(own),
          describe(given));
    auto same = [&](const Substitution::Pair& p) { return p.tensor.same_handle(own); };
    const auto known = std::find_if(pairs_.begin(), pairs_.end(), same);
    check(known == pairs_.end() || known->stand_in.same_handle(given),
          "functional_call: \"{}\", or what it is tied to, was given before; got two different "
          "tensors",
          name);
    if (known == pairs_.end()) pairs_.push_back({own, given});
  }
  std::vector<Substitution::Pair> take() { return std::move(pairs_); }

 private:
  std::vector<Substitution::Pair> pairs_;
};

}  // namespace

std::vector<Substitution::Pair> stand_ins(const Module& module, const NamedTensors& tensors) {
  Pairs pairs;
  for (const NamedTensor& given : tensors) {
    const Tensor own = module.find(given.name);
    pairs.add(given.name, own, given.tensor);
  }
  return pairs.take();
}

std::vector<Substitution::Pair> stand_ins(const Module& module, const Tensors& parameters) {
  const NamedTensors own = module.named_parameters();
  check(parameters.size() == own.size(),
        "functional_call: expected one tensor for each of {} parameters; got {}", own.size(),
        parameters.size());
  Pairs pairs;
  for (size_t i = 0; i < own.size(); ++i) pairs.add(own[i].name, own[i].tensor, parameters[i]);
  return pairs.take();
}

}  // namespace weft::detail
