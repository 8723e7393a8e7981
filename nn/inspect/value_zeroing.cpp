#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/length.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/detail/values.h>
#include <weft/nn/inspect/value_zeroing.h>

namespace weft {
namespace {

constexpr const char* kValueZeroing = "value_zeroing";

Tensor unit(const Tensor& x) {
  const Tensor length = unsqueeze(detail::length_of(x), -1);
  return x / masked_fill(length, eq(length, 0), 1);
}

// Half the squared distance of unit vectors is 1 - cos, without its rounding near 0.
Tensor cosine_distance(const Tensor& x, const Tensor& y) {
  const Tensor d = unit(x) - unit(y);
  return sum(d * d, {-1}) * 0.5;
}

// A call of attention: its output is linear in the values.
struct Call {
  Tensor weights;      // [B, H, Tq, Tk]
  Tensor transformed;  // [B, H, Tk, D]
  Tensor from_key(int64_t j) const {
    return einsum("bhq,bhd->bqd", {select(weights, 3, j), select(transformed, 2, j)});
  }
};

Call call_of(MultiheadAttention& attention, const std::function<Tensor()>& run, Tensor& output) {
  Call found;
  detail::ScopedHooks hooks;
  hooks.add(attention.register_forward_hook([&](ModuleCall& call) {
    check(!found.weights.defined(), "{}: expected run() to call the attention once", kValueZeroing);
    check(call.outputs.size() == 2, "{}: run() did not ask the attention for weights",
          kValueZeroing);
    found.weights = *call.outputs[1];
    detail::check_per_head(kValueZeroing, found.weights);
    found.transformed =
        detail::projected_by_head(detail::values_of(kValueZeroing, attention, *call.inputs[2]),
                                  attention.find("out_proj.weight"));
  }));
  output = run();
  check(found.weights.defined(), "{}: run() did not call the attention", kValueZeroing);
  return found;
}

}  // namespace

Tensor value_zeroing(MultiheadAttention& attention, const std::function<Tensor()>& run) {
  const bool batch_first = attention.options().batch_first;
  Tensor output;
  const Call whole = call_of(attention, run, output);
  const int64_t batch = whole.weights.size(0), queries = whole.weights.size(2),
                keys = whole.weights.size(3);
  const int64_t rows = output.dim() == 3 ? output.size(batch_first ? 0 : 1) : -1;
  check(rows == batch && output.size(batch_first ? 1 : 0) == queries,
        "{}: expected run() to return {} sentences of {} queries, [{}, D]; got {}", kValueZeroing,
        batch, queries, batch_first ? "B, Tq" : "Tq, B", output.shape());
  int64_t zeroed = 0;
  detail::ScopedHooks hooks;
  hooks.add(attention.register_forward_hook([&](ModuleCall& call) {
    const Tensor gone = whole.from_key(zeroed);
    *call.outputs[0] = *call.outputs[0] - (batch_first ? gone : transpose(gone, 0, 1));
  }));
  Tensors distances;
  for (; zeroed < keys; ++zeroed) distances.push_back(cosine_distance(output, run()));
  const Tensor found = stack(distances, 2);
  return batch_first ? found : transpose(found, 0, 1);
}

}  // namespace weft
