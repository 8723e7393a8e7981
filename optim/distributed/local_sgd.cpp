#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/optim/detail/prefixed.h>
#include <weft/optim/distributed/detail/equal_ranks.h>
#include <weft/optim/distributed/detail/exchange.h>
#include <weft/optim/distributed/detail/gather_state.h>
#include <weft/optim/distributed/local_sgd.h>

#include <cstring>
#include <string>

namespace weft {
namespace {

constexpr int64_t kBucketBytes = int64_t{4} << 20;
constexpr const char* kOuter = "outer.";
constexpr const char* kRanks = "ranks";

std::string prefix_of_rank(size_t rank) { return fmt::format("rank{}.", rank); }

int64_t ranks_of(const NamedTensors& state) {
  for (const NamedTensor& entry : state)
    if (entry.name == kRanks && entry.tensor.shape() == Shape{} && entry.tensor.dtype() == kInt64)
      return entry.tensor.item<int64_t>();
  fail("LocalSgd: the state must say how many ranks it is of");
}

NamedTensors moving(const NamedTensors& parameters) {
  NamedTensors those;
  for (const NamedTensor& p : parameters)
    if (p.tensor.requires_grad()) those.push_back(p);
  return those;
}

NamedTensors leaves_like(const NamedTensors& parameters) {
  NamedTensors leaves;
  for (const NamedTensor& p : parameters)
    leaves.push_back({p.name, clone(p.tensor.detach()).set_requires_grad()});
  return leaves;
}

void copy_values(const NamedTensors& from, NamedTensors& into) {
  for (size_t i = 0; i < from.size(); ++i) {
    const ConstBytes values = bytes_of(from[i].tensor);
    std::memcpy(writable_bytes_of(into[i].tensor, "LocalSgd").data(), values.data(), values.size());
  }
}

// Before copies are made.
NamedTensors started_equal(Communicator& communicator, const NamedTensors& parameters) {
  start_equal("LocalSgd", communicator, parameters);
  return moving(parameters);
}

}  // namespace

LocalSgd::LocalSgd(Communicator& communicator, const NamedTensors& parameters,
                   const LocalSgdOptions& options)
    : communicator_(communicator),
      parameters_(started_equal(communicator, parameters)),
      shared_(leaves_like(parameters_)),
      outer_(shared_, options.outer),
      every_(options.steps) {
  check(every_ > 0, "LocalSgd: steps must be positive; got {}", every_);
  exchange_ = std::make_unique<Exchange>(communicator_, tensors_of(parameters_), kBucketBytes);
}

LocalSgd::~LocalSgd() = default;

bool LocalSgd::step() {
  if (++taken_ < every_) return false;
  meet();
  taken_ = 0;
  return true;
}

void LocalSgd::meet() {
  const NoGrad no_grad;
  const int ranks = communicator_.size();
  exchange_->begin(ranks);
  for (size_t i = parameters_.size(); i-- > 0;) {
    const Tensor change = shared_[i].tensor - parameters_[i].tensor;
    exchange_->put(i, {{communicator_.rank(), 1, change}});
  }
  const Tensors sums = exchange_->finish();
  for (size_t i = 0; i < sums.size(); ++i) shared_[i].tensor.set_grad(sums[i]);
  outer_.step(1.0 / ranks);
  outer_.zero_grad();
  copy_values(shared_, parameters_);
}

void LocalSgd::restart() {
  copy_values(parameters_, shared_);
  taken_ = 0;
}

void LocalSgd::check_equal() { check_equal_values("LocalSgd", communicator_, parameters_); }

NamedTensors LocalSgd::state_dict(const Optimizer& inner) {
  const std::vector<NamedTensors> of_ranks = gather_on_first(communicator_, inner.state_dict());
  if (of_ranks.empty()) return {};
  NamedTensors state{{kRanks, from_vector<int64_t>({std::ssize(of_ranks)}, {})}};
  append(state, kOuter, outer_.state_dict());
  for (size_t rank = 0; rank < of_ranks.size(); ++rank)
    append(state, prefix_of_rank(rank), of_ranks[rank]);
  return state;
}

NamedTensors LocalSgd::own_part(const NamedTensors& state) const {
  return without_prefix(state, prefix_of_rank(static_cast<size_t>(communicator_.rank())));
}

void LocalSgd::check_state_dict(const NamedTensors& state, const Optimizer& inner) const {
  const int64_t ranks = ranks_of(state);
  check(ranks == communicator_.size(),
        "LocalSgd: each rank goes on with an optimizer of its own; the state has those of {} "
        "ranks, and there are {}",
        ranks, communicator_.size());
  outer_.check_state_dict(without_prefix(state, kOuter));
  inner.check_state_dict(own_part(state));
}

void LocalSgd::load_state_dict(const NamedTensors& state, Optimizer& inner) {
  check_state_dict(state, inner);
  outer_.load_state_dict(without_prefix(state, kOuter));
  inner.load_state_dict(own_part(state));
}

}  // namespace weft
