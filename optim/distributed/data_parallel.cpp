#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/checksum.h>
#include <weft/core/detail/binary_into.h>
#include <weft/core/detail/check.h>
#include <weft/optim/distributed/data_parallel.h>
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

Tensors tensors_of(const NamedTensors& named) {
  Tensors tensors;
  for (const NamedTensor& n : named) tensors.push_back(n.tensor);
  return tensors;
}

ConstBytes bytes_of(const Tensor& t) {
  return {static_cast<const std::byte*>(t.raw()),
          static_cast<size_t>(t.numel()) * size_of(t.dtype())};
}

std::string describe(const NamedTensor& p) {
  return fmt::format("{} {} {}", p.name, p.tensor.shape(), to_string(p.tensor.dtype()));
}

// Numbers of every rank, as many from each.
template <class T>
std::vector<T> gather(Communicator& communicator, const std::vector<T>& mine) {
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<T> all(mine.size() * ranks);
  communicator.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)),
                          std::vector<size_t>(ranks, mine.size() * sizeof(T)));
  return all;
}

// Throws unless the numbers, one for each parameter, are the same on all ranks.
void check_same(Communicator& communicator, const NamedTensors& parameters,
                const std::vector<uint32_t>& numbers, const char* what) {
  const std::vector<uint32_t> all = gather(communicator, numbers);
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t at = i % numbers.size();
    check(all[i] == all[at], "DataParallel: {} of rank {} must be {} of rank 0; {} is not", what,
          i / numbers.size(), what, describe(parameters[at]));
  }
}

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
  const std::vector<size_t> counts = gather(communicator_, std::vector{parameters_.size()});
  for (const size_t count : counts)
    check(count == counts[0], "DataParallel: ranks must have as many parameters; got {} and {}",
          counts[0], count);
  std::vector<uint32_t> names;
  for (const NamedTensor& p : parameters_) names.push_back(crc32c(describe(p)));
  check_same(communicator_, parameters_, names, "parameters");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i].tensor;
    check(p.is_contiguous(), "DataParallel: {} must be contiguous", describe(parameters_[i]));
    const ConstBytes bytes = bytes_of(p);
    communicator_.broadcast({static_cast<std::byte*>(p.raw()), bytes.size()});
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
    p.set_grad({});
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
  const std::vector<uint8_t> reached = gather(communicator_, sums_->reached);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    bool anywhere = false;
    for (size_t at = i; at < reached.size(); at += parameters_.size())
      anywhere = anywhere || reached[at];
    if (anywhere) parameters_[i].tensor.set_grad(exchange_ ? sums[i] : sums_->of[i].total());
  }
}

void DataParallel::check_equal() {
  if (communicator_.size() == 1) return;
  std::vector<uint32_t> sums;
  for (const NamedTensor& p : parameters_) {
    const ConstBytes bytes = bytes_of(p.tensor);
    sums.push_back(crc32c(bytes.data(), bytes.size()));
  }
  check_same(communicator_, parameters_, sums, "values");
}

}  // namespace weft
