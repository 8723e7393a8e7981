// States of optimizers, which only their ranks have, on rank 0 to be saved.
#pragma once

#include <weft/core/serialize.h>
#include <weft/optim/distributed/communicator.h>

#include <vector>

namespace weft {

/// What each rank has, in the order of ranks, on rank 0; nothing on others. Contiguous tensors of
/// any dtype, as many on a rank as it likes. All ranks must call this together.
std::vector<NamedTensors> gather_on_first(Communicator& communicator, const NamedTensors& mine);

}  // namespace weft
