#include <weft/autograd/graph/module_path.h>
#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/observer.h>
#include <weft/core/detail/check.h>

namespace weft {

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

std::string detail::full_name(const std::string& name) {
  const std::string path = module_path();
  return path.empty() ? name : fmt::format("{}.{}", path, name);
}

bool is_wanted(const std::string& name) {
  return detail::thread_state.observers && detail::any_observer_wants(detail::full_name(name));
}

}  // namespace weft
