#include <weft/core/detail/bytes.h>
#include <weft/optim/distributed/detail/equal_ranks.h>
#include <weft/optim/distributed/detail/gather_state.h>

#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <string_view>

namespace weft {
namespace {

// Of each tensor its name, dtype, shape and values.
std::string pack(const NamedTensors& tensors) {
  std::string bytes;
  for (const auto& [name, tensor] : tensors) {
    const Shape& shape = tensor.shape();
    bytes += to_bytes(name, tensor.dtype(), std::vector<int64_t>(shape.begin(), shape.end()));
    const ConstBytes values = bytes_of(tensor);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size());
  }
  return bytes;
}

NamedTensors unpack(std::string_view bytes) {
  NamedTensors tensors;
  for (FromBytes rest(bytes); !rest.done();) {
    NamedTensor& entry = tensors.emplace_back();
    entry.name = rest.get<std::string>();
    const auto dtype = rest.get<DType>();
    const auto sizes = rest.get<std::vector<int64_t>>();
    entry.tensor = Tensor(Shape(sizes), dtype);
    const std::string_view values = rest.next(bytes_of(entry.tensor).size());
    if (!values.empty()) std::memcpy(entry.tensor.raw(), values.data(), values.size());
  }
  return tensors;
}

}  // namespace

std::vector<NamedTensors> gather_on_first(Communicator& communicator, const NamedTensors& mine) {
  const std::string packed = pack(mine);
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<size_t> sent(ranks), received(ranks);
  sent[0] = packed.size();
  const std::vector<size_t> sizes = gather_numbers(communicator, std::vector{sent[0]});
  if (communicator.rank() == 0) received = sizes;
  std::string all(std::accumulate(received.begin(), received.end(), size_t{0}), '\0');
  communicator.all_to_all(std::as_bytes(std::span(packed)), sent,
                          std::as_writable_bytes(std::span(all)), received);
  std::vector<NamedTensors> states;
  FromBytes rest(all);
  for (size_t rank = 0; communicator.rank() == 0 && rank < ranks; ++rank)
    states.push_back(unpack(rest.next(received[rank])));
  return states;
}

}  // namespace weft
