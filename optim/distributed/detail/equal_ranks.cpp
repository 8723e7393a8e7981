#include <weft/core/checksum.h>
#include <weft/core/detail/check.h>
#include <weft/optim/distributed/detail/equal_ranks.h>

#include <string>

namespace weft {
namespace {

std::string describe(const NamedTensor& p) {
  return fmt::format("{} {} {}", p.name, p.tensor.shape(), to_string(p.tensor.dtype()));
}

// Throws unless the numbers, one for each parameter, are the same on all ranks.
void check_same(const char* who, Communicator& communicator, const NamedTensors& parameters,
                const std::vector<uint32_t>& numbers, const char* what) {
  const std::vector<uint32_t> all = gather_numbers(communicator, numbers);
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t at = i % numbers.size();
    check(all[i] == all[at], "{}: {} of rank {} must be {} of rank 0; {} is not", who, what,
          i / numbers.size(), what, describe(parameters[at]));
  }
}

}  // namespace

Bytes writable_bytes_of(Tensor& t, const char* who) {
  Bytes bytes;
  dispatch_floating(who, t.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    bytes =
        std::as_writable_bytes(std::span(t.mutable_data<T>(who), static_cast<size_t>(t.numel())));
  });
  return bytes;
}

void start_equal(const char* who, Communicator& communicator, const NamedTensors& parameters) {
  const std::vector<size_t> counts = gather_numbers(communicator, std::vector{parameters.size()});
  for (const size_t count : counts)
    check(count == counts[0], "{}: ranks must have as many parameters; got {} and {}", who,
          counts[0], count);
  std::vector<uint32_t> names;
  for (const NamedTensor& p : parameters) names.push_back(crc32c(describe(p)));
  check_same(who, communicator, parameters, names, "parameters");
  for (const NamedTensor& p : parameters) {
    check(p.tensor.is_contiguous(), "{}: {} must be contiguous", who, describe(p));
    Tensor values = p.tensor;
    communicator.broadcast(writable_bytes_of(values, who));
  }
}

void check_equal_values(const char* who, Communicator& communicator,
                        const NamedTensors& parameters) {
  std::vector<uint32_t> sums;
  for (const NamedTensor& p : parameters) {
    const ConstBytes bytes = bytes_of(p.tensor);
    sums.push_back(crc32c(bytes.data(), bytes.size()));
  }
  check_same(who, communicator, parameters, sums, "values");
}

}  // namespace weft
