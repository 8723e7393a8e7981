#include <weft/core/detail/check.h>
#include <weft/optim/distributed/detail/equal_ranks.h>
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

// What each rank has, one after the other, on rank 0; nothing on others.
std::vector<std::vector<std::byte>> gather_on_first(Communicator& communicator, ConstBytes mine) {
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<size_t> sent(ranks), received(ranks);
  sent[0] = mine.size();
  const std::vector<size_t> sizes = gather_numbers(communicator, std::vector{mine.size()});
  if (communicator.rank() == 0) received = sizes;
  std::vector<std::byte> all(std::accumulate(received.begin(), received.end(), size_t{0}));
  communicator.all_to_all(mine, sent, all, received);
  std::vector<std::vector<std::byte>> parts;
  auto at = all.begin();
  for (const size_t size : received) {
    parts.emplace_back(at, at + static_cast<ptrdiff_t>(size));
    at += static_cast<ptrdiff_t>(size);
  }
  return parts;
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
  const std::vector<NamedTensors> parts = parts_on_first(mine);
  if (communicator_.rank() > 0) return {};
  NamedTensors state;
  for (const NamedTensor& entry : mine)
    if (parameter_of(entry.name).empty()) state.push_back(entry);
  for (size_t i = 0; i < parameters_.size(); ++i)
    for (const NamedTensor& entry : parts[static_cast<size_t>(owners_[i])])
      if (parameter_of(entry.name) == parameters_[i].name) state.push_back(entry);
  return state;
}

// Names travel as text; the rest follows from them: a step is a number, what else there is has the
// parameter's dtype.
std::vector<NamedTensors> ShardedOptimizer::parts_on_first(const NamedTensors& mine) {
  std::string names;
  std::vector<std::byte> values;
  for (const NamedTensor& entry : mine) {
    if (parameter_of(entry.name).empty()) continue;
    names += entry.name + '\0';
    append(values, bytes_of(entry.tensor));
  }
  const auto all_names = gather_on_first(communicator_, std::as_bytes(std::span(names)));
  const auto all_values = gather_on_first(communicator_, values);
  std::vector<NamedTensors> parts(all_names.size());
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    const std::string text(reinterpret_cast<const char*>(all_names[rank].data()),
                           all_names[rank].size());
    const std::byte* from = all_values[rank].data();
    for (size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) {
      const std::string name = text.c_str() + at;
      const Tensor& p = parameters_[index_of(parameter_of(name))].tensor;
      const std::string buffer = name.substr(0, name.find('.'));
      Tensor t = buffer == "step" ? Tensor({}, kInt64)
                                  : Tensor(optimizer_.buffer_shape(buffer, p.shape()), p.dtype());
      const size_t size = bytes_of(t).size();
      std::memcpy(t.raw(), from, size);
      from += size;
      parts[rank].push_back({name, t});
    }
  }
  return parts;
}

}  // namespace weft
