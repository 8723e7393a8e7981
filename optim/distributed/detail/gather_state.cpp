// A rank's tensors travel as one row of bytes: of each its name, dtype, shape and values.
#include <weft/optim/distributed/detail/equal_ranks.h>
#include <weft/optim/distributed/detail/gather_state.h>

#include <cstring>
#include <numeric>

namespace weft {
namespace {

class Packed {
 public:
  void add(const NamedTensor& entry) {
    number(std::ssize(entry.name));
    append(std::as_bytes(std::span(entry.name)));
    number(static_cast<int64_t>(entry.tensor.dtype()));
    number(entry.tensor.dim());
    for (const int64_t size : entry.tensor.shape()) number(size);
    append(bytes_of(entry.tensor));
  }
  ConstBytes bytes() const { return bytes_; }

 private:
  void number(int64_t n) { append(std::as_bytes(std::span(&n, 1))); }
  void append(ConstBytes more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

  std::vector<std::byte> bytes_;
};

class Unpacking {
 public:
  explicit Unpacking(ConstBytes bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  NamedTensor next() {
    NamedTensor entry;
    entry.name.resize(static_cast<size_t>(number()));
    take(std::as_writable_bytes(std::span(entry.name)));
    const auto dtype = static_cast<DType>(number());
    Shape shape = Shape::filled(static_cast<int>(number()), 0);
    for (int d = 0; d < shape.rank(); ++d) shape[d] = number();
    entry.tensor = Tensor(shape, dtype);
    take({static_cast<std::byte*>(entry.tensor.raw()), bytes_of(entry.tensor).size()});
    return entry;
  }

 private:
  int64_t number() {
    int64_t n = 0;
    take(std::as_writable_bytes(std::span(&n, 1)));
    return n;
  }
  void take(Bytes into) {
    if (!into.empty()) std::memcpy(into.data(), rest_.data(), into.size());
    rest_ = rest_.subspan(into.size());
  }

  ConstBytes rest_;
};

}  // namespace

std::vector<NamedTensors> gather_on_first(Communicator& communicator, const NamedTensors& mine) {
  Packed packed;
  for (const NamedTensor& entry : mine) packed.add(entry);
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<size_t> sent(ranks), received(ranks);
  sent[0] = packed.bytes().size();
  const std::vector<size_t> sizes = gather_numbers(communicator, std::vector{sent[0]});
  if (communicator.rank() == 0) received = sizes;
  std::vector<std::byte> all(std::accumulate(received.begin(), received.end(), size_t{0}));
  communicator.all_to_all(packed.bytes(), sent, all, received);
  std::vector<NamedTensors> states;
  ConstBytes rest = all;
  for (size_t rank = 0; communicator.rank() == 0 && rank < ranks; ++rank) {
    NamedTensors& state = states.emplace_back();
    for (Unpacking one(rest.first(received[rank])); !one.done();) state.push_back(one.next());
    rest = rest.subspan(received[rank]);
  }
  return states;
}

}  // namespace weft
