#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/node.h>
#include <weft/autograd/inspect/detail/backtrace.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/detail/shortened.h>
#include <weft/core/nearest.h>
#include <weft/nn/init.h>
#include <weft/nn/module.h>

#include <algorithm>
#include <map>

namespace weft {

Module::Module() = default;
Module::~Module() = default;

// --- Registering ---

void Module::claim(const std::string& name) const {
  check(!name.empty() && name.find('.') == std::string::npos,
        "module: a name must not be empty or hold a dot; got \"{}\"", name);
  for (const Entry& e : own_)
    check(e.name != name, "module: the name \"{}\" is taken by a parameter or buffer", name);
  for (const auto& c : children_)
    check(c.first != name, "module: the name \"{}\" is taken by a child", name);
}

Tensor Module::parameter(const std::string& name, const Tensor& value) {
  claim(name);
  if (!value.defined()) return value;
  check(value.is_leaf() && is_floating(value.dtype()),
        "module: the parameter \"{}\" must be a floating leaf tensor; got {}, {}", name,
        to_string(value.dtype()), value.is_leaf() ? "a leaf" : "a result of recorded ops");
  Tensor handle = value;
  handle.set_requires_grad();
  own_.push_back({name, handle, true});
  return handle;
}

Tensor Module::buffer(const std::string& name, const Tensor& value) {
  claim(name);
  check(value.defined(), "module: the buffer \"{}\" is undefined", name);
  own_.push_back({name, value, false});
  return value;
}

void Module::adopt(const std::string& name, std::unique_ptr<Module> module) {
  claim(name);
  module->parent_ = this;
  module->name_ = name;
  module->forget_paths();
  children_.emplace_back(name, std::move(module));
}

// --- Listing ---

void Module::collect(const std::string& prefix, std::vector<Entry>& into) const {
  for (const Entry& e : own_) into.push_back({prefix + e.name, e.tensor, e.learns});
  for (const auto& c : children_) c.second->collect(prefix + c.first + ".", into);
}

std::vector<Module::Entry> Module::entries() const {
  std::vector<Entry> all;
  collect("", all);
  return all;
}

NamedTensors Module::listed(bool learns) const {
  NamedTensors found;
  for (const Entry& e : entries()) {
    auto same = [&](const auto& known) { return known.tensor.same_handle(e.tensor); };
    if (e.learns == learns && std::none_of(found.begin(), found.end(), same))
      found.push_back({e.name, e.tensor});
  }
  return found;
}

NamedTensors Module::named_parameters() const { return listed(true); }
NamedTensors Module::named_buffers() const { return listed(false); }

Tensors Module::parameters() const {
  Tensors found;
  for (const auto& p : named_parameters()) found.push_back(p.tensor);
  return found;
}

Tensor Module::find(const std::string& name) const {
  std::vector<std::string> known;
  for (const Entry& e : entries()) {
    if (e.name == name) return e.tensor;
    known.push_back(e.name);
  }
  fail("module: there is no parameter or buffer \"{}\"{}", name, nearest(name, known));
}

void Module::collect_modules(const std::string& prefix,
                             std::vector<std::pair<std::string, Module*>>& into) const {
  for (const auto& [name, module] : children_) {
    into.emplace_back(prefix + name, module.get());
    module->collect_modules(prefix + name + ".", into);
  }
}

Module& Module::find_module(const std::string& path) {
  std::vector<std::pair<std::string, Module*>> below{{"", this}};
  collect_modules("", below);
  std::vector<std::string> known;
  for (const auto& [name, module] : below) {
    if (name == path) return *module;
    if (module != this) known.push_back(name);
  }
  fail("module: there is no module \"{}\"{}", path, nearest(path, known));
}

void Module::fail_type(const std::string& path, const Module& found, const std::type_info& wanted) {
  fail("module: expected \"{}\" to be a {}; got a {}", path, demangled(wanted.name()),
       demangled(typeid(found).name()));
}

std::vector<std::pair<std::string, Module*>> Module::children() const {
  std::vector<std::pair<std::string, Module*>> found;
  for (const auto& c : children_) found.emplace_back(c.first, c.second.get());
  return found;
}

std::string Module::path() const {
  if (!parent_) return name_;
  const std::string above = parent_->path();
  return above.empty() ? name_ : above + "." + name_;
}

void Module::forget_paths() {
  path_changed();
  for (const auto& c : children_) c.second->forget_paths();
}

// --- Changing ---

void Module::train(bool on) {
  training_ = on;
  for (const auto& c : children_) c.second->train(on);
}

void Module::to(DType dtype) {
  check(is_floating(dtype), "module: to expects a floating dtype; got {}", to_string(dtype));
  NoGrad no_grad;
  for (const Entry& e : entries()) {
    Tensor t = e.tensor;
    if (!is_floating(t.dtype()) || t.dtype() == dtype) continue;
    t.set_data(weft::to(t, dtype));
    Leaf* leaf = leaf_of(t);
    if (!leaf) continue;
    leaf->match(t);
    if (leaf->grad.defined()) leaf->grad = weft::to(leaf->grad, dtype);
  }
}

Tensor Module::to(const Tensor& x, DType dtype) { return weft::to(x, dtype); }

void Module::set_requires_grad(bool on) {
  for (Tensor p : parameters()) p.set_requires_grad(on);
}

void Module::zero_grad() {
  for (Tensor p : parameters())
    if (p.grad().defined()) p.set_grad({});
}

// --- State ---

NamedTensors Module::state_dict() const {
  NamedTensors state;
  for (const NamedTensors& part : {named_parameters(), named_buffers()})
    for (const NamedTensor& entry : part) state.push_back({entry.name, entry.tensor.detach()});
  return state;
}

namespace {

bool equal_values(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && !sum(to(ne(a, b), kInt64)).item<bool>();
}

// Faults of a state dict, collected so that the user sees all kinds of them at once.
class Faults {
 public:
  void add(const char* kind, const std::string& what) {
    List& list = lists_[kind];
    if (++list.count <= kShown) list.text += (list.count == 1 ? "" : ", ") + shortened(what);
  }
  void add_if_unfit(const std::string& name, const Tensor& value, const Tensor& target) {
    if (value.shape() != target.shape())
      add("wrong shape", fmt::format("{} {} instead of {}", name, value.shape(), target.shape()));
    else if (value.dtype() == kFloat64 && target.dtype() == kFloat32)
      add("float64 for float32 (it would be rounded; to(kFloat64) on the module keeps it)", name);
    else if (value.dtype() != target.dtype() &&
             !(is_floating(value.dtype()) && is_floating(target.dtype())))
      add("wrong dtype", fmt::format("{} {} instead of {}", name, to_string(value.dtype()),
                                     to_string(target.dtype())));
  }
  void raise() const {
    std::string message = "load_state_dict: the state does not fit the module";
    for (const auto& [kind, list] : lists_) {
      message += fmt::format("; {}: {}", kind, list.text);
      if (list.count > kShown) message += fmt::format(" and {} more", list.count - kShown);
    }
    check(lists_.empty(), "{}", message);
  }

 private:
  static constexpr int64_t kShown = 10;
  struct List {
    std::string text;  // of the first ones
    int64_t count = 0;
  };
  std::map<std::string, List> lists_;
};

}  // namespace

void Module::load_state_dict(const NamedTensors& state, bool strict) {
  const std::vector<Entry> all = entries();
  std::map<std::string, Tensor> given;
  for (const NamedTensor& entry : state) {
    check(entry.tensor.defined(), "load_state_dict: the tensor \"{}\" is undefined", entry.name);
    check(given.emplace(entry.name, entry.tensor).second,
          "load_state_dict: there are two tensors called \"{}\"", entry.name);
  }
  auto under_another_name = [&](const Entry& e) {
    for (const Entry& other : all)
      if (other.tensor.same_handle(e.tensor) && other.name != e.name && given.contains(other.name))
        return given[other.name];
    return Tensor();
  };

  Faults faults;
  for (const Entry& e : all) {
    const Tensor alias = under_another_name(e);
    if (!given.contains(e.name)) {
      if (strict && !alias.defined()) faults.add("missing", e.name);
      continue;
    }
    faults.add_if_unfit(e.name, given[e.name], e.tensor);
    if (alias.defined() && !equal_values(alias, given[e.name]))
      faults.add("tied but different", e.name);
  }
  auto known = [&](const std::string& name) {
    return std::any_of(all.begin(), all.end(), [&](const Entry& e) { return e.name == name; });
  };
  for (const NamedTensor& entry : state)
    if (strict && !known(entry.name)) faults.add("unexpected", entry.name);
  faults.raise();
  for (const Entry& e : all)
    if (given.contains(e.name)) init::copy(e.tensor, given[e.name]);
}

}  // namespace weft
