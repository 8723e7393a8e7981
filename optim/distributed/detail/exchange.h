// Sums of gradients over all ranks, in buckets that travel on a thread of their own while backward
// fills the next ones.
#pragma once

#include <weft/core/serialize.h>
#include <weft/optim/distributed/communicator.h>
#include <weft/optim/distributed/pairwise_sum.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace weft {

class Exchange {
 public:
  Exchange(Communicator& communicator, const Tensors& parameters, int64_t bucket_bytes);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// What follows is the sum over this many parts.
  void begin(int64_t parts);
  /// This rank's sums of a parameter's gradient, as many as its share of the parts comes to.
  void put(size_t parameter, const std::vector<PartialSum<Tensor>>& sums);
  /// Waits for the sums over all ranks: views of buckets, one for each parameter; those that were
  /// not put here count as zeros.
  Tensors finish();

 private:
  struct Bucket {
    explicit Bucket(DType t) : dtype(t) {}

    DType dtype;
    std::vector<size_t> parameters;
    int64_t size = 0;   // elements, those that fill up the last slice too
    int64_t slice = 0;  // elements that a rank adds up
    size_t missing = 0;
    std::vector<std::byte> outgoing, incoming;  // [rank][partial sum][slice]
    Tensor sum;
  };
  struct Place {
    size_t bucket;
    int64_t offset;
  };

  void make_buckets(const Tensors& parameters, int64_t bucket_bytes);
  void prepare(Bucket& bucket);
  void copy_in(Bucket& bucket, size_t partial, int64_t offset, const Tensor& value);
  void send_full_buckets();
  void work();
  void add_up(Bucket& bucket);
  void add_slices(Bucket& bucket, std::byte* into);

  Communicator& communicator_;
  Tensors parameters_;
  std::vector<Bucket> buckets_;  // in the order in which backward is expected to fill them
  std::vector<Place> places_;    // of parameters
  std::vector<bool> put_;
  std::vector<std::vector<PartialSum<bool>>> shares_;  // the partial sums of each rank
  size_t sent_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t queued_ = 0, done_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace weft
