// The calls that ops register as samples, at other sizes: what sweeps over all ops are made of. A
// new op is swept as soon as it has samples.
#pragma once

#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>

#include <string>
#include <utility>
#include <vector>

namespace weft {

/// Every sample of every op, as "softmax/last dim". Ops of tests ("test_...") are left out: some
/// are wrong on purpose.
std::vector<std::pair<std::string, Sample>> samples_of(const Op& op);
std::vector<const Op*> swept_ops();

/// The sizes above 1 of the inputs' dims, each once.
std::vector<int64_t> sizes_of(const Tensors& inputs);

/// The inputs with every dim of size `from` at size `to`. More rows than there are repeat them in
/// random order, their floating numbers shrunk by up to a tenth; of fewer, the first are kept, and
/// integers above the new size become its last index.
Tensors resized(const Tensors& inputs, int64_t from, int64_t to);

/// The inputs with dims of size 1 in front, as many as the largest rank allows: all of them, or
/// only the first.
Tensors lifted(Tensors inputs, bool all);

/// Whether f takes these inputs: it throws nothing, and all values are finite.
bool takes(const SampleFunction& f, const Tensors& inputs);

bool has_size(const Tensors& inputs, int64_t size);
int64_t numel_of(const Tensors& inputs);

}  // namespace weft
