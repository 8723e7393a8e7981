#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/binary_into.h>
#include <weft/core/detail/check.h>
#include <weft/optim/distributed/data_parallel.h>
#include <weft/optim/distributed/detail/equal_ranks.h>
#include <weft/optim/distributed/detail/exchange.h>

namespace weft {
namespace {

void add_to(Tensor& sum, const Tensor& term) {
  if (sum.is_unique())
    add_in_place(sum, term);
  else
    sum = sum + term;
}

using GradientSum = PairwiseSum<Tensor, void (*)(Tensor&, const Tensor&)>;

}  // namespace

struct DataParallel::Sums {
  std::vector<GradientSum> of;        // each parameter
  std::vector<uint8_t> reached, out;  // by a gradient; handed to the exchange
  int64_t part = 0;                   // that runs
  bool last = false;                  // its gradients go out as they come

  void begin(size_t parameters) {
    of.assign(parameters, GradientSum(add_to));
    reached.assign(parameters, 0);
    out.assign(parameters, 0);
  }
};

DataParallel::DataParallel(Communicator& communicator, NamedTensors parameters,
                           const DataParallelOptions& options)
    : communicator_(communicator),
      parameters_(std::move(parameters)),
      sums_(std::make_unique<Sums>()) {
  check(options.bucket_bytes > 0, "DataParallel: bucket_bytes must be positive; got {}",
        options.bucket_bytes);
  if (communicator_.size() == 1) return;
  start_equal("DataParallel", communicator_, parameters_);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i].tensor;
    if (!p.requires_grad()) continue;
    hooks_.push_back(p.register_hook([this, i](const Tensor& gradient) {
      if (sums_->last) take(i, gradient);
      return Tensor();
    }));
  }
  exchange_ =
      std::make_unique<Exchange>(communicator_, tensors_of(parameters_), options.bucket_bytes);
}

DataParallel::~DataParallel() {
  for (HookHandle& hook : hooks_) hook.remove();
}

void DataParallel::sum_gradients(int64_t parts, const std::function<void(int64_t)>& backward) {
  check(parts > 0, "sum_gradients: needs a part; got {}", parts);
  const PartRange mine = parts_of_rank(parts, communicator_.rank(), communicator_.size());
  if (parts == 1 && !exchange_) return backward(0);
  const NoGrad no_grad;
  sums_->begin(parameters_.size());
  if (exchange_) exchange_->begin(parts);
  for (int64_t part = mine.begin; part < mine.end; ++part) {
    sums_->part = part;
    sums_->last = exchange_ && part + 1 == mine.end;
    try {
      const GradMode record(true);
      backward(part);
    } catch (...) {
      sums_->last = false;  // later passes of backward are none of this sum's business
      throw;
    }
    take_the_rest();
  }
  sums_->last = false;
  set_sums();
}

// What hooks leave: gradients of parts before the last, and zeros where none came.
void DataParallel::take_the_rest() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i].tensor;
    Tensor gradient = p.grad();
    if (gradient.defined()) p.set_grad({});
    if (!sums_->out[i]) take(i, std::move(gradient));
  }
}

void DataParallel::take(size_t parameter, Tensor gradient) {
  const Tensor& p = parameters_[parameter].tensor;
  if (gradient.defined())
    sums_->reached[parameter] = 1;
  else
    gradient = zeros(p.shape(), p.dtype());
  GradientSum& sum = sums_->of[parameter];
  sum.push({sums_->part, 1, contiguous(gradient)});
  if (!sums_->last) return;
  exchange_->put(parameter, sum.partial_sums());
  sums_->out[parameter] = 1;
  sum = GradientSum(add_to);  // so that whoever made the gradient may go on to use its memory
}

void DataParallel::set_sums() {
  Tensors sums;
  if (exchange_) sums = exchange_->finish();
  const std::vector<uint8_t> reached = gather_numbers(communicator_, sums_->reached);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    bool anywhere = false;
    for (size_t at = i; at < reached.size(); at += parameters_.size())
      anywhere = anywhere || reached[at];
    if (anywhere) parameters_[i].tensor.set_grad(exchange_ ? sums[i] : sums_->of[i].total());
  }
}

void DataParallel::check_equal() {
  if (communicator_.size() > 1) check_equal_values("DataParallel", communicator_, parameters_);
}

}  // namespace weft
