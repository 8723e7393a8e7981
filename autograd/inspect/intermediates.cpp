#include <weft/autograd/inspect/intermediates.h>
#include <weft/core/detail/check.h>
#include <weft/core/nearest.h>

#include <algorithm>

namespace weft {

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
  if (!wants(detail::full_name(name))) return;
  Tensor kept = t;
  if (kept.requires_grad()) kept.retain_grad();
  kept_.push_back({detail::full_name(name), kept});
}

bool Intermediates::wants(const std::string& name) const {
  seen_.insert(name);
  return wanted_.empty() || std::find(wanted_.begin(), wanted_.end(), name) != wanted_.end();
}

}  // namespace weft
