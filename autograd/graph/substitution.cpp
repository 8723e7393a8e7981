#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/substitution.h>
#include <weft/autograd/graph/thread_state.h>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

Tensor another_handle(const Tensor& t) {
  Tensor handle = t.strided_view(t.shape(), t.strides());
  handle.set_slot(Ref<AutogradSlot>(t.slot()), t.output_index());
  return handle;
}

}  // namespace

// All is copied before anything is exchanged: a tensor may stand in for one that stands in for it.
Substitution::Substitution(const std::vector<Pair>& pairs)
    : before_(std::exchange(detail::thread_state.substitution, this)) {
  pairs_.reserve(pairs.size());
  for (const Pair& p : pairs) pairs_.push_back({p.tensor, another_handle(p.stand_in)});
  for (Pair& p : pairs_) p.tensor.substitute(p.stand_in);
}

Substitution::~Substitution() {
  for (auto p = pairs_.rbegin(); p != pairs_.rend(); ++p) p->tensor.put_back(p->stand_in);
  detail::thread_state.substitution = before_;
}

std::vector<Substitution::Pair> Substitution::in_force() {
  std::vector<Pair> found;
  for (const Substitution* s = detail::thread_state.substitution; s; s = s->before_)
    for (const Pair& p : s->pairs_) {
      auto same = [&](const Pair& known) { return known.tensor.same_handle(p.tensor); };
      if (std::none_of(found.begin(), found.end(), same))
        found.push_back({p.tensor, as_of_now(p.tensor)});
    }
  return found;
}

Tensor as_of_now(const Tensor& t) {
  return t.defined() && t.is_substituted() ? another_handle(t) : t;
}

}  // namespace weft
