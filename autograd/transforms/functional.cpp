// The transforms that are a few vjps in a row.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/core/detail/check.h>

namespace weft {
namespace {

void check_one_element(const char* who, const Tensor& y) {
  check(y.numel() == 1, "{}: the function must return one element; got shape {}", who, y.shape());
}

Tensors hessian_times(const char* who, const TensorFunction& f, const Tensors& inputs,
                      const Tensors& v, const TransformOptions& options) {
  check(v.size() == inputs.size(), "{}: expected one vector for each of {} inputs; got {}", who,
        inputs.size(), v.size());
  for (size_t i = 0; i < v.size(); ++i) check_fits(who, "a vector", "input", i, inputs[i], v[i]);
  const TensorFunction gradient = [&](const Tensors& in) {
    const RecordedCall call(who, f, in);
    const Tensor& y = call.output();
    check_one_element(who, y);
    return call.vjp({ones(y.shape(), y.dtype())}, options);
  };
  // The gradient need not depend on an input that f depends on.
  return with_zeros(RecordedCall(who, gradient, inputs).vjp(v), inputs);
}

Tensor only(const char* who, const Tensors& results) {
  check(results.size() == 1, "{}: a function of one tensor must return one; got {}", who,
        results.size());
  return results[0];
}

}  // namespace

ValueAndGrad value_and_grad(const TensorFunction& f, const Tensors& inputs,
                            const TransformOptions& options) {
  constexpr const char* kWho = "value_and_grad";
  const RecordedCall call(kWho, f, inputs);
  const Tensor& y = call.output();
  check_one_element(kWho, y);
  const Tensors gradients = call.vjp({ones(y.shape(), y.dtype())}, options);
  return {call.results()[0], with_zeros(gradients, inputs)};
}

Tensors jvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options) {
  return RecordedCall("jvp", f, inputs).jvp(v, options);
}

Tensor jvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options) {
  return only("jvp", jvp(f, Tensors{input}, Tensors{v}, options));
}

Tensors hvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options) {
  return hessian_times("hvp", f, inputs, v, options);
}

Tensor hvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options) {
  return hvp(f, Tensors{input}, Tensors{v}, options)[0];
}

Tensors gvp(const TensorFunction& model, const TensorFunction& loss, const Tensors& inputs,
            const Tensors& v, const TransformOptions& options) {
  const RecordedCall call("gvp", model, inputs);
  const Tensors tangents = call.jvp(v, options);
  const Tensors curved = hessian_times("gvp's loss", loss, call.results(), tangents, options);
  return with_zeros(call.vjp(curved), inputs);
}

}  // namespace weft
