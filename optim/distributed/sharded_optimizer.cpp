#include <weft/core/detail/check.h>
#include <weft/optim/distributed/detail/equal_ranks.h>
#include <weft/optim/distributed/detail/gather_state.h>
#include <weft/optim/distributed/sharded_optimizer.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

namespace weft {
namespace {

// Each to the rank that has the least so far, the largest first.
std::vector<int> share_out(const NamedTensors& parameters, int ranks) {
  const auto bytes = [&](size_t i) { return bytes_of(parameters[i].tensor).size(); };
  std::vector<size_t> order(parameters.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return bytes(a) > bytes(b); });
  std::vector<int> owners(parameters.size());
  std::vector<size_t> has(static_cast<size_t>(ranks));
  for (const size_t i : order) {
    const auto least = std::min_element(has.begin(), has.end());
    owners[i] = static_cast<int>(least - has.begin());
    *least += bytes(i);
  }
  return owners;
}

// The optimizer's, in its order: one of groups has another than the model.
NamedTensors in_order_of(const Optimizer& optimizer, const NamedTensors& parameters) {
  const Tensors of = optimizer.parameters();
  check(of.size() == parameters.size(),
        "ShardedOptimizer: parameters must be the optimizer's {}; got {}", of.size(),
        parameters.size());
  NamedTensors ordered;
  for (const NamedTensor& p : parameters)
    check(
        std::any_of(of.begin(), of.end(), [&](const Tensor& t) { return t.same_handle(p.tensor); }),
        "ShardedOptimizer: parameters must be the optimizer's; \"{}\" is not", p.name);
  for (const Tensor& t : of)
    ordered.push_back(*std::find_if(parameters.begin(), parameters.end(),
                                    [&](const NamedTensor& p) { return p.tensor.same_handle(t); }));
  return ordered;
}

// Of an entry of the state, as in "exp_avg.encoder.weight"; "" of what belongs to none.
std::string parameter_of(const std::string& entry) {
  const size_t dot = entry.find('.');
  return dot == std::string::npos ? "" : entry.substr(dot + 1);
}

void append(std::vector<std::byte>& bytes, ConstBytes more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

ShardedOptimizer::ShardedOptimizer(Communicator& communicator, const NamedTensors& parameters,
                                   Optimizer& optimizer)
    : communicator_(communicator),
      parameters_(in_order_of(optimizer, parameters)),
      optimizer_(optimizer),
      owners_(share_out(parameters_, communicator.size())) {
  load_state_dict(optimizer.state_dict());
}

// The optimizer makes state for what it updates only, and passes over what has no gradient.
void ShardedOptimizer::step(double gradient_scale) {
  std::vector<size_t> moved;
  Tensors aside(parameters_.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i].tensor;
    if (!p.grad().defined() || !p.requires_grad()) continue;
    moved.push_back(i);
    if (is_mine(i)) continue;
    aside[i] = p.grad();
    p.set_grad({});
  }
  optimizer_.step(gradient_scale);
  for (const size_t i : moved)
    if (aside[i].defined()) parameters_[i].tensor.set_grad(aside[i]);
  if (communicator_.size() > 1) gather_values(moved);
}

void ShardedOptimizer::gather_values(const std::vector<size_t>& moved) {
  std::vector<size_t> counts(static_cast<size_t>(communicator_.size()));
  std::vector<std::byte> mine;
  for (const size_t i : moved) {
    const ConstBytes values = bytes_of(parameters_[i].tensor);
    counts[static_cast<size_t>(owners_[i])] += values.size();
    if (is_mine(i)) append(mine, values);
  }
  std::vector<size_t> at(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), at.begin(), size_t{0});
  std::vector<std::byte> all(at.back() + counts.back());
  communicator_.all_gather(mine, all, counts);
  for (const size_t i : moved) {
    size_t& from = at[static_cast<size_t>(owners_[i])];
    const size_t size = bytes_of(parameters_[i].tensor).size();
    if (!is_mine(i))
      std::memcpy(writable_bytes_of(parameters_[i].tensor, "ShardedOptimizer").data(),
                  all.data() + from, size);
    from += size;
  }
}

size_t ShardedOptimizer::index_of(const std::string& parameter) const {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const NamedTensor& p) { return p.name == parameter; });
  return static_cast<size_t>(found - parameters_.begin());
}

// What is nobody's stays, for the optimizer to complain of.
NamedTensors ShardedOptimizer::own_part(const NamedTensors& state) const {
  NamedTensors part;
  for (const NamedTensor& entry : state) {
    const size_t parameter = index_of(parameter_of(entry.name));
    if (parameter == parameters_.size() || is_mine(parameter)) part.push_back(entry);
  }
  return part;
}

void ShardedOptimizer::load_state_dict(const NamedTensors& state) {
  optimizer_.load_state_dict(own_part(state));
}

NamedTensors ShardedOptimizer::state_dict() {
  const NamedTensors mine = own_part(optimizer_.state_dict());
  const std::vector<NamedTensors> parts = gather_on_first(communicator_, mine);
  if (communicator_.rank() > 0) return {};
  NamedTensors state;
  for (const NamedTensor& entry : mine)
    if (parameter_of(entry.name).empty()) state.push_back(entry);
  for (size_t i = 0; i < parameters_.size(); ++i)
    for (const NamedTensor& entry : parts[static_cast<size_t>(owners_[i])])
      if (parameter_of(entry.name) == parameters_[i].name) state.push_back(entry);
  return state;
}

}  // namespace weft
