// Module: named parameters, buffers and child modules. Layer: a module with a typed forward.
//
//   class FeedForward : public Layer<FeedForward> {
//    public:
//     FeedForward(int64_t d_model, int64_t d_hidden, Generator gen)
//         : expand_(child<Linear>("linear1", d_model, d_hidden, gen)),
//           project_(child<Linear>("linear2", d_hidden, d_model, gen)) {}
//     Tensor forward(const Tensor& x) { return project_(gelu(expand_(x))); }
//
//    private:
//     Linear &expand_, &project_;
//   };
#pragma once

#include <weft/autograd/graph/module_path.h>
#include <weft/core/serialize.h>
#include <weft/core/tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

namespace weft {

class Module;

/// One call of a layer, as hooks see it: its tensor arguments and results, which a hook may
/// replace. Before forward there are no outputs.
struct ModuleCall {
  Module& module;
  std::vector<Tensor*> inputs, outputs;
};
using ModuleHook = std::function<void(ModuleCall&)>;
/// Takes the gradient of output `index` of a call; returns its replacement, or an undefined Tensor
/// to keep it.
using ModuleBackwardHook = std::function<Tensor(int index, const Tensor& gradient)>;

class Module : public PathSource {
 public:
  Module();
  virtual ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Parameters of this module and all below it, under dotted names, in order of registration. A
  /// tensor with several names is listed once, under the first.
  NamedTensors named_parameters() const;
  NamedTensors named_buffers() const;
  Tensors parameters() const;
  /// The parameter or buffer of that dotted name, a tied one by any of its names. An Error that
  /// tells the nearest names if there is none.
  Tensor find(const std::string& name) const;
  /// The module at that dotted path below this one, "" being this one. An Error that tells the
  /// nearest paths if there is none.
  Module& find_module(const std::string& path);
  /// The same as an L; an Error if it is of another type.
  template <class L>
  L& find_module(const std::string& path) {
    Module& found = find_module(path);
    if (L* layer = dynamic_cast<L*>(&found)) return *layer;
    fail_type(path, found, typeid(L));
  }
  /// The modules right below this one.
  std::vector<std::pair<std::string, Module*>> children() const;
  std::string path() const override;

  /// Switches this module and all below it between training and inference (dropout off).
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Converts floating parameters, their gradients and buffers in place: every handle to them, tied
  /// ones too, sees the new dtype. A module is built in float32.
  void to(DType dtype);
  /// The op, which the name above would hide inside a layer.
  static Tensor to(const Tensor& x, DType dtype);
  /// Freezes all parameters (false) or lets them learn. Gradients and hooks stay, but optimizers
  /// leave what is frozen alone.
  void set_requires_grad(bool on = true);
  void zero_grad();

  /// Parameters and buffers by name, sharing memory with the module; tied ones once. This is what
  /// save_safetensors() writes.
  NamedTensors state_dict() const;
  /// Copies values in. A tied parameter may come under any of its names. All is checked first:
  /// shapes and dtypes always, missing and unexpected names if `strict`; the Error lists the first
  /// ten faults of each kind. float32 goes into float64; the other way would round: to(kFloat64) on
  /// the module before loading keeps the values, and to(kFloat32) after it rounds them.
  void load_state_dict(const NamedTensors& state, bool strict = true);

  /// Hooks run on every call through operator(): before forward, after it, and in backward. A
  /// removed backward hook does not run for earlier calls either. What a hook throws comes out as
  /// the nested exception of an Error that names the module.
  HookHandle register_forward_pre_hook(ModuleHook hook);
  HookHandle register_forward_hook(ModuleHook hook);
  HookHandle register_backward_hook(ModuleBackwardHook hook);
  /// A module that computes in one go what this one is a part of must call it all the same then.
  bool has_hooks() const { return hooks_ && any_hook(); }

 protected:
  /// Registers `value` as a parameter that learns, and returns its handle. Undefined tensors are
  /// not registered. An Error if the name is taken, empty or has a dot.
  Tensor parameter(const std::string& name, const Tensor& value);
  /// Registers a tensor that is saved but does not learn.
  Tensor buffer(const std::string& name, const Tensor& value);
  /// Builds a layer of type L from `args`, owned by this module.
  template <class L, class... Args>
  L& child(const std::string& name, Args&&... args) {
    auto owned = std::make_unique<L>(std::forward<Args>(args)...);
    L& layer = *owned;
    adopt(name, std::move(owned));
    return layer;
  }

  void before_forward(ModuleCall& call);
  void after_forward(ModuleCall& call);

 private:
  struct Hooks;
  Hooks& hooks();
  struct Entry {
    std::string name;
    Tensor tensor;
    bool learns;
  };
  void claim(const std::string& name) const;
  void adopt(const std::string& name, std::unique_ptr<Module> module);
  void forget_paths();
  void collect_modules(const std::string& prefix,
                       std::vector<std::pair<std::string, Module*>>& into) const;
  [[noreturn]] static void fail_type(const std::string& path, const Module& found,
                                     const std::type_info& wanted);
  bool any_hook() const;
  void collect(const std::string& prefix, std::vector<Entry>& into) const;
  std::vector<Entry> entries() const;
  NamedTensors listed(bool learns) const;

  std::vector<Entry> own_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  const Module* parent_ = nullptr;
  std::string name_;
  bool training_ = true;
  std::shared_ptr<Hooks> hooks_;  // null until there is one
};

namespace detail {

template <class T>
inline constexpr bool kIsTensors = std::is_same_v<T, Tensor> || std::is_same_v<T, Tensors>;

/// A tensor argument is held by value, so that a hook can replace it; others pass through.
template <class Arg>
using HookArg =
    std::conditional_t<kIsTensors<std::remove_cvref_t<Arg>>, std::remove_cvref_t<Arg>, Arg&&>;

/// The tensors of an argument or result: itself, those of a list, pair or tuple, or what its
/// tensors() names.
template <class T>
void collect_tensors(T& x, std::vector<Tensor*>& into) {
  if constexpr (std::is_same_v<T, Tensor>) {
    into.push_back(&x);
  } else if constexpr (std::is_same_v<T, Tensors>) {
    for (Tensor& t : x) into.push_back(&t);
  } else if constexpr (requires { x.tensors(); }) {
    for (Tensor* t : x.tensors())
      if (t->defined()) into.push_back(t);
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    std::apply([&](auto&... part) { (collect_tensors(part, into), ...); }, x);
  }
}

}  // namespace detail

/// Base of layers: `class Mine : public Layer<Mine>` writes forward(...) with arguments of its
/// choice and is called like a function. Hooks see tensors, Tensors, pairs and tuples of them;
/// another type of several tensors lists pointers to them in tensors(). A layer whose forward takes
/// options after one to three tensors names their type `Call`: then they may come in braces, as in
/// attention(q, k, v, {.weights = AttentionWeights::per_head}). `Base` is what a family of layers
/// has in common, an interface derived from Module.
template <class Self, class Base = Module>
class Layer : public Base {
 public:
  template <class... Args>
  auto operator()(Args&&... args) {
    return enter(std::forward<Args>(args)...);
  }
  template <class S = Self, class... More>
  auto operator()(const Tensor& x, const typename S::Call& call, More&&... more) {
    return enter(x, call, std::forward<More>(more)...);
  }
  template <class S = Self, class... More>
  auto operator()(const Tensor& x, const Tensor& y, const typename S::Call& call, More&&... more) {
    return enter(x, y, call, std::forward<More>(more)...);
  }
  template <class S = Self, class... More>
  auto operator()(const Tensor& x, const Tensor& y, const Tensor& z, const typename S::Call& call,
                  More&&... more) {
    return enter(x, y, z, call, std::forward<More>(more)...);
  }

 private:
  template <class... Args>
  auto enter(Args&&... args) {
    const ModuleScope scope(*this);
    if (this->has_hooks()) return call_with_hooks(std::forward<Args>(args)...);
    return static_cast<Self&>(*this).forward(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto call_with_hooks(Args&&... args) {
    std::tuple<detail::HookArg<Args>...> held(std::forward<Args>(args)...);
    ModuleCall call{*this, {}, {}};
    std::apply([&](auto&... a) { (detail::collect_tensors(a, call.inputs), ...); }, held);
    this->before_forward(call);
    auto result = std::apply(
        [&](auto&... a) {
          return static_cast<Self&>(*this).forward(static_cast<detail::HookArg<Args>&&>(a)...);
        },
        held);
    detail::collect_tensors(result, call.outputs);
    this->after_forward(call);
    return result;
  }
};

}  // namespace weft
