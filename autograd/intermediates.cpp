#include <weft/autograd/intermediates.h>
#include <weft/autograd/module_path.h>
#include <weft/autograd/node.h>
#include <weft/core/check.h>
#include <weft/core/nearest.h>

#include <algorithm>

namespace weft {
namespace {

std::string full_name(const std::string& name) {
  const std::string path = module_path();
  return path.empty() ? name : fmt::format("{}.{}", path, name);
}

}  // namespace

Tensor named(const Tensor& t, const std::string& name) {
  check(t.defined(), "named: the tensor \"{}\" is undefined", name);
  if (t.slot()) node_of(t)->make_extras(t.output_index()).name = name;
  if (detail::thread_state.observers) detail::notify_named(t, name);
  return t;
}

std::string name_of(const Tensor& t) {
  const OutputExtras* e = t.slot() ? node_of(t)->extras(t.output_index()) : nullptr;
  return e ? e->name : std::string();
}

Intermediates::~Intermediates() {
  for (NamedTensor& t : kept_)
    if (const Tensor g = t.tensor.grad(); g.defined() && g.requires_grad() && !t.tensor.is_leaf())
      t.tensor.set_grad(g.detach());
}

Tensor Intermediates::operator[](const std::string& name) const {
  const auto found = std::find_if(kept_.rbegin(), kept_.rend(),
                                  [&](const NamedTensor& t) { return t.name == name; });
  if (found != kept_.rend()) return found->tensor;
  const std::vector<std::string> seen(seen_.begin(), seen_.end());
  check(!seen_.contains(name), "intermediates: \"{}\" was seen, but not asked for", name);
  fail("intermediates: there is no \"{}\"; seen: {}{}", name,
       seen.empty() ? "none" : fmt::format("{}", fmt::join(seen, ", ")), nearest(name, seen));
}

void Intermediates::tensor_named(const Tensor& t, const std::string& name) {
  if (!wants(full_name(name))) return;
  Tensor kept = t;
  if (kept.requires_grad()) kept.retain_grad();
  kept_.push_back({full_name(name), kept});
}

bool Intermediates::wants(const std::string& name) const {
  seen_.insert(name);
  return wanted_.empty() || std::find(wanted_.begin(), wanted_.end(), name) != wanted_.end();
}

bool is_wanted(const std::string& name) {
  return detail::thread_state.observers && detail::any_observer_wants(full_name(name));
}

}  // namespace weft
