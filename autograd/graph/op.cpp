#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/substitution.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

namespace weft {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const Op*> ops;
};

Registry& registry() {
  static Registry& r = *new Registry;  // outlives every static Op
  return r;
}

}  // namespace

Op::Op(const char* op_name, void (*make_samples)(Samples&)) : name(op_name), samples(make_samples) {
  invariant(samples != nullptr, "an op needs samples for the gradient check");
  check(name != nullptr && *name, "op: a name must not be empty");
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  for (const Op* op : r.ops)
    check(std::strcmp(op->name, name) != 0, "op: there is one named {} already", name);
  r.ops.push_back(this);
}

std::vector<const Op*> registered_ops() {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  std::vector<const Op*> ops = r.ops;
  std::sort(ops.begin(), ops.end(),
            [](const Op* a, const Op* b) { return std::strcmp(a->name, b->name) < 0; });
  return ops;
}

namespace {
thread_local Tensors* census = nullptr;
}  // namespace

namespace detail {
SavedCensus::SavedCensus(Tensors& into) : before_(std::exchange(census, &into)) {}
SavedCensus::~SavedCensus() { census = before_; }

void fail_not_own(const Op& op) {
  fail("{}: its result must be a tensor of its own; got an input; detach() gives another handle",
       op.name);
}
}  // namespace detail

Saved::Saved(const Saved& o)
    : tensor_(o.tensor_), version_(o.version_), data_version_(o.data_version_), output_(o.output_) {
  if (census && tensor_.defined()) census->push_back(tensor_);
}

Saved save(const Tensor& input) {
  Saved s;
  if (!grad_enabled() || !input.defined()) return s;
  s.tensor_ = input;
  if (input.is_substituted()) [[unlikely]]
    s.tensor_ = as_of_now(input);
  s.version_ = input.storage().version();
  s.data_version_ = s.tensor_.data_version();
  return s;
}

Saved save_output(const Tensor& y, int index) {
  Saved s;
  if (!grad_enabled()) return s;
  s.tensor_ = y.strided_view(y.shape(), y.strides());  // without the node: a cycle otherwise
  s.version_ = y.storage().version();
  s.output_ = index;
  return s;
}

Tensor Backward::saved(const Saved& s) const {
  if (!s.tensor_.defined()) return {};
  if (s.tensor_.data_version() != s.data_version_ || s.tensor_.storage().version() != s.version_)
      [[unlikely]]
    fail_changed(s);
  if (s.output_ < 0) return s.tensor_;
  Tensor y = s.tensor_.strided_view(s.tensor_.shape(), s.tensor_.strides());
  y.set_slot(Ref<AutogradSlot>(&node_), s.output_);
  return y;
}

void Backward::fail_index(const char* what, int i, size_t count) const {
  fail("{}: its vjp asks for {} {} of {}", node_.describe(), what, i, count);
}

void Backward::fail_changed(const Saved& s) const {
  const Tensor& t = s.tensor_;
  check(t.data_version() == s.data_version_,
        "{}: a tensor that its backward needs was given other data, now {} {}, by set_data, "
        "to(dtype) or functional_call; run forward again after that",
        node_.describe(), t.shape(), to_string(t.dtype()));
  const std::string name = name_of(t);
  fail(
      "{}: a tensor{} of shape {} that its backward needs was changed in place by {} (version {}, "
      "saved at {}); clone it first, or change it after backward",
      node_.describe(), name.empty() ? name : fmt::format(" \"{}\"", name), t.shape(),
      t.storage().last_writer(), t.storage().version(), s.version_);
}

}  // namespace weft
