// Names for intermediate results.
#pragma once

#include <weft/core/tensor.h>

#include <string>

namespace weft {

/// Names `t`: messages, dump_graph() and Intermediates show the name. Returns `t` itself. Attention
/// names its "scores" and "weights".
Tensor named(const Tensor& t, const std::string& name);
/// The name that named() gave; "" if there is none, or if `t` needs no gradient.
std::string name_of(const Tensor& t);

/// Whether somebody asks for what the module that runs would name so: a fused path that does not
/// compute it must give way then.
bool is_wanted(const std::string& name);

namespace detail {

/// `name` under the path of the module that runs: "encoder.layers.0.self_attn.weights".
std::string full_name(const std::string& name);

}  // namespace detail
}  // namespace weft
