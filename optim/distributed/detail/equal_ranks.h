// Ranks that have the same parameters, and how they find out whether they have.
#pragma once

#include <weft/core/serialize.h>
#include <weft/optim/distributed/communicator.h>

#include <cstdint>
#include <vector>

namespace weft {

inline ConstBytes bytes_of(const Tensor& t) {
  return {static_cast<const std::byte*>(t.raw()),
          static_cast<size_t>(t.numel()) * size_of(t.dtype())};
}

/// Without the names.
inline Tensors tensors_of(const NamedTensors& named) {
  Tensors tensors;
  for (const NamedTensor& n : named) tensors.push_back(n.tensor);
  return tensors;
}

/// The bytes of a contiguous tensor, for writing; counts as an in-place write by `who` (a literal).
Bytes writable_bytes_of(Tensor& t, const char* who);

/// Numbers of every rank, as many from each, in the order of ranks.
template <class T>
std::vector<T> gather_numbers(Communicator& communicator, const std::vector<T>& mine) {
  const auto ranks = static_cast<size_t>(communicator.size());
  std::vector<T> all(mine.size() * ranks);
  communicator.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)),
                          std::vector<size_t>(ranks, mine.size() * sizeof(T)));
  return all;
}

/// Gives the parameters of all ranks the values of rank 0. An Error that begins with `who` unless
/// all ranks have as many, of the same names, shapes and dtypes, and all of them contiguous.
void start_equal(const char* who, Communicator& communicator, const NamedTensors& parameters);

/// Throws an Error that names the first parameter whose bits are not those of rank 0.
void check_equal_values(const char* who, Communicator& communicator,
                        const NamedTensors& parameters);

}  // namespace weft
