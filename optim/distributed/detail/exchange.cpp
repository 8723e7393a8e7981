#include <weft/core/detail/check.h>
#include <weft/optim/distributed/detail/exchange.h>
#include <weft/optim/distributed/parts.h>

#include <algorithm>
#include <cstring>

namespace weft {
namespace {

// How the parts of a rank add up among themselves.
std::vector<PartialSum<bool>> partial_sums_of(PartRange range) {
  PairwiseSum<bool, void (*)(bool&, bool&)> sum([](bool&, bool&) {});
  for (int64_t part = range.begin; part < range.end; ++part) sum.push({part, 1, true});
  return sum.partial_sums();
}

template <class T>
void add_elements(std::byte* into, const std::byte* from, int64_t n) {
  auto* y = reinterpret_cast<T*>(into);
  const auto* x = reinterpret_cast<const T*>(from);
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

void add_elements(DType dtype, std::byte* into, const std::byte* from, int64_t n) {
  dtype == kFloat64 ? add_elements<double>(into, from, n) : add_elements<float>(into, from, n);
}

size_t bytes_of(DType dtype, int64_t n) { return static_cast<size_t>(n) * size_of(dtype); }

}  // namespace

Exchange::Exchange(Communicator& communicator, const Tensors& parameters, int64_t bucket_bytes)
    : communicator_(communicator), parameters_(parameters) {
  make_buckets(parameters, bucket_bytes);
  thread_ = std::thread([this] { work(); });
}

Exchange::~Exchange() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// From the last parameter to the first, as backward comes to them.
void Exchange::make_buckets(const Tensors& parameters, int64_t bucket_bytes) {
  places_.resize(parameters.size());
  for (size_t i = parameters.size(); i-- > 0;) {
    const DType dtype = parameters[i].dtype();
    const auto open = [&](const Bucket& b) {
      return b.dtype == dtype && bytes_of(dtype, b.size) < static_cast<size_t>(bucket_bytes);
    };
    if (buckets_.empty() || !open(buckets_.back())) buckets_.emplace_back(dtype);
    Bucket& bucket = buckets_.back();
    bucket.parameters.push_back(i);
    places_[i] = {buckets_.size() - 1, bucket.size};
    bucket.size += parameters[i].numel();
  }
  const int64_t ranks = communicator_.size();
  for (Bucket& b : buckets_) {
    b.slice = (b.size + ranks - 1) / ranks;
    b.size = b.slice * ranks;
  }
}

void Exchange::begin(int64_t parts) {
  shares_.clear();
  for (int rank = 0; rank < communicator_.size(); ++rank)
    shares_.push_back(partial_sums_of(parts_of_rank(parts, rank, communicator_.size())));
  put_.assign(parameters_.size(), false);
  sent_ = 0;
  const std::lock_guard lock(mutex_);
  queued_ = done_ = 0;
  for (Bucket& b : buckets_) prepare(b);
}

void Exchange::prepare(Bucket& bucket) {
  const size_t mine = shares_[static_cast<size_t>(communicator_.rank())].size();
  size_t all = 0;
  for (const auto& share : shares_) all += share.size();
  bucket.missing = bucket.parameters.size();
  bucket.outgoing.assign(mine * bytes_of(bucket.dtype, bucket.size), std::byte{});
  bucket.incoming.resize(all * bytes_of(bucket.dtype, bucket.slice));
  bucket.sum = Tensor({bucket.size}, bucket.dtype);
}

void Exchange::put(size_t parameter, const std::vector<PartialSum<Tensor>>& sums) {
  const Place place = places_[parameter];
  Bucket& bucket = buckets_[place.bucket];
  for (size_t i = 0; i < sums.size(); ++i) copy_in(bucket, i, place.offset, sums[i].value);
  put_[parameter] = true;
  --bucket.missing;
  send_full_buckets();
}

// A rank's slice of each partial sum lies together.
void Exchange::copy_in(Bucket& bucket, size_t partial, int64_t offset, const Tensor& value) {
  const size_t partials = shares_[static_cast<size_t>(communicator_.rank())].size();
  const size_t size = size_of(bucket.dtype);
  const auto* from = static_cast<const std::byte*>(value.raw());
  for (int64_t done = 0; done < value.numel();) {
    const int64_t rank = (offset + done) / bucket.slice, within = (offset + done) % bucket.slice;
    const int64_t n = std::min(value.numel() - done, bucket.slice - within);
    const size_t row = static_cast<size_t>(rank) * partials + partial;
    const size_t at = row * static_cast<size_t>(bucket.slice) + static_cast<size_t>(within);
    std::memcpy(bucket.outgoing.data() + at * size, from + static_cast<size_t>(done) * size,
                static_cast<size_t>(n) * size);
    done += n;
  }
}

// In one order on all ranks, whichever is full first.
void Exchange::send_full_buckets() {
  while (sent_ < buckets_.size() && buckets_[sent_].missing == 0) {
    const std::lock_guard lock(mutex_);
    queued_ = ++sent_;
  }
  changed_.notify_all();
}

Tensors Exchange::finish() {
  for (Bucket& b : buckets_) b.missing = 0;
  send_full_buckets();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ == buckets_.size() || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  Tensors sums;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i];
    sums.push_back(
        buckets_[places_[i].bucket].sum.strided_view(p.shape(), p.strides(), places_[i].offset));
  }
  for (Bucket& b : buckets_) b.sum = Tensor();
  return sums;
}

void Exchange::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || done_ < queued_; });
    if (done_ == queued_) return;
    Bucket& bucket = buckets_[done_];
    lock.unlock();
    std::exception_ptr failure;
    try {
      add_up(bucket);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    ++done_;
    if (failure) failure_ = failure;
    changed_.notify_all();
  }
}

// Every rank adds up a slice of the bucket and tells the others.
void Exchange::add_up(Bucket& bucket) {
  const auto ranks = static_cast<size_t>(communicator_.size());
  const size_t slice = bytes_of(bucket.dtype, bucket.slice);
  const size_t mine = shares_[static_cast<size_t>(communicator_.rank())].size();
  std::vector<size_t> sent(ranks, mine * slice), received;
  for (const auto& share : shares_) received.push_back(share.size() * slice);
  communicator_.all_to_all(bucket.outgoing, sent, bucket.incoming, received);
  auto* sum = static_cast<std::byte*>(bucket.sum.raw());
  std::vector<std::byte> own(slice);
  add_slices(bucket, own.data());
  communicator_.all_gather(own, {sum, slice * ranks}, std::vector<size_t>(ranks, slice));
}

void Exchange::add_slices(Bucket& bucket, std::byte* into) {
  const auto add = [&](std::byte* y, const std::byte* x) {
    add_elements(bucket.dtype, y, x, bucket.slice);
  };
  PairwiseSum<std::byte*, decltype(add)> sum(add);
  const size_t slice = bytes_of(bucket.dtype, bucket.slice);
  std::byte* from = bucket.incoming.data();
  for (const auto& share : shares_) {
    for (const PartialSum<bool>& s : share) {
      sum.push({s.first, s.count, from});
      from += slice;
    }
  }
  std::memcpy(into, sum.total(), slice);
}

}  // namespace weft
