#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/inspect/anomaly.h>
#include <weft/autograd/inspect/detail/backtrace.h>
#include <weft/core/detail/check.h>

#include <cmath>

namespace weft {
namespace {

// What is not finite in a tensor.
struct Census {
  int64_t nans = 0, infinities = 0;
  Shape first;       // index of the first that is not finite
  double value = 0;  // and what stands there
};

// Adds one to an index, in row-major order.
void advance(Shape& index, const Shape& shape) {
  for (int d = shape.rank() - 1; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
}

int64_t offset_of(const Tensor& t, const Shape& index) {
  int64_t offset = 0;
  for (int d = 0; d < t.dim(); ++d) offset += index[d] * t.strides()[d];
  return offset;
}

template <class T>
Census count(const Tensor& t) {
  Census c;
  const T* p = t.data<T>();
  Shape index = Shape::filled(t.dim(), 0);
  const bool dense = t.is_contiguous();
  for (int64_t i = 0; i < t.numel(); ++i) {
    const T v = p[dense ? i : offset_of(t, index)];
    if (!std::isfinite(v)) [[unlikely]] {
      if (c.nans + c.infinities == 0) {
        c.value = std::isnan(v) ? std::abs(static_cast<double>(v)) : static_cast<double>(v);
        c.first = Shape::filled(t.dim(), 0);
        for (int64_t rest = i, d = t.dim() - 1; d >= 0; rest /= t.size(static_cast<int>(d)), --d)
          c.first[static_cast<int>(d)] = rest % t.size(static_cast<int>(d));
      }
      ++(std::isnan(v) ? c.nans : c.infinities);
    }
    if (!dense) advance(index, t.shape());
  }
  return c;
}

Census census(const Tensor& t) {
  if (!t.defined() || t.numel() == 0) return {};
  if (t.dtype() == kFloat32) return count<float>(t);
  if (t.dtype() == kFloat64) return count<double>(t);
  return {};
}

// What `bad` holds is new if none of `sources` held the same kind already; NaN follows from NaN
// only, infinity from both.
bool appeared(const Census& bad, std::span<const Tensor> sources) {
  bool nan_before = false, infinity_before = false;
  for (const Tensor& t : sources) {
    const Census c = census(t);
    nan_before = nan_before || c.nans > 0;
    infinity_before = infinity_before || c.infinities > 0;
  }
  return (bad.nans > 0 && !nan_before) || (bad.infinities > 0 && !infinity_before && !nan_before);
}

std::string describe(const Census& c, const Tensor& t) {
  return fmt::format("got {} at {} of {} {} ({} NaN, {} infinite of {})", c.value, c.first,
                     to_string(t.dtype()), t.shape(), c.nans, c.infinities, t.numel());
}

std::string describe(const Tensor& t) {
  if (!t.defined()) return "none";
  std::string text = fmt::format("{} {}", to_string(t.dtype()), t.shape());
  if (const std::string name = name_of(t); !name.empty()) text += fmt::format(" \"{}\"", name);
  const Census c = census(t);
  if (c.nans) text += " with NaN";
  if (c.infinities) text += " with infinity";
  return text;
}

template <class List, class F>
std::string joined(const List& list, F text_of) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ", ") + text_of(entry);
  return text.empty() ? "none" : text;
}

std::string describe_infos(const std::vector<TensorInfo>& infos) {
  return joined(
      infos, [](const TensorInfo& i) { return fmt::format("{} {}", to_string(i.dtype), i.shape); });
}

// What is known of where a node comes from.
std::string describe_origin(const Node& node) {
  const Origin* origin = node.origin();
  if (!origin) return node.op() ? "; recorded before DetectAnomaly began" : "";
  return fmt::format("; inputs: {}\nrecorded at:{}", describe_infos(origin->inputs),
                     describe_frames(origin->frames));
}

std::string op_in_module(const Op& op) {
  const std::string* path = detail::thread_state.path;
  return path && !path->empty() ? fmt::format("{} in {}", op.name, *path) : std::string(op.name);
}

}  // namespace

void DetectAnomaly::op_ran(const Op& op, std::span<const Tensor> outputs,
                           std::span<const Tensor> inputs) {
  for (const Tensor& y : outputs) {
    const Census c = census(y);
    if (c.nans + c.infinities == 0 || !appeared(c, inputs)) continue;
    fail("{}: the result must be finite; {}; inputs: {}\ncalled at:{}", op_in_module(op),
         describe(c, y), joined(inputs, [](const Tensor& t) { return describe(t); }),
         describe_frames(call_frames()));
  }
  if (!outputs.empty() && outputs[0].slot()) recorded(*node_of(outputs[0]), inputs);
}

void DetectAnomaly::recorded(Node& node, std::span<const Tensor> inputs) {
  Origin origin{call_frames(), {}};
  for (const Tensor& t : inputs)
    origin.inputs.push_back(t.defined() ? TensorInfo{t.shape(), t.dtype()} : TensorInfo{});
  node.set_origin(std::move(origin));
}

void DetectAnomaly::recorded_in_vjp(Node& node, std::span<const Tensor> inputs) {
  recorded(node, inputs);
}

// A vjp's results were looked at when it ended: here is what comes from elsewhere.
void DetectAnomaly::vjp_begins(const Node& node, std::span<const Tensor> dy) {
  for (const Tensor& t : dy) {
    const Census c = census(t);
    if (c.nans + c.infinities > 0)
      fail(
          "{}: the gradient of its result must be finite; {}; it comes from the caller of "
          "backward, from a hook, or from the sum of several gradients{}",
          node.describe(), describe(c, t), describe_origin(node));
  }
}

void DetectAnomaly::vjp_ended(const Node& node, std::span<const Tensor> dx) {
  for (size_t i = 0; i < dx.size(); ++i) {
    const Census c = census(dx[i]);
    if (c.nans + c.infinities > 0)
      fail("{}: its vjp must return finite gradients; for input {} {}{}", node.describe(), i,
           describe(c, dx[i]), describe_origin(node));
  }
}

}  // namespace weft
