// Optimizer: what SGD, Adam and others share, and the door for one of your own
// (docs/optimizers.md). Parameters come by name, so that the state of a run survives in a file
// whatever the order of the layers.
//
//   Adam adam(model.named_parameters(), {.lr = 5e-4});
//   loss.backward();
//   adam.step();
//   adam.zero_grad();
#pragma once

#include <weft/core/serialize.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace weft {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Updates every parameter that has a gradient and requires one, in place; others stay as they
  /// are (PyTorch also moves frozen ones that still have a gradient). Gradients count
  /// `gradient_scale` times, in the same pass: clip_factor() clips them, 1 / n averages them. The
  /// same bits at any number of threads.
  void step(double gradient_scale = 1);
  /// Drops the gradients of all parameters.
  void zero_grad();
  Tensors parameters() const;

  size_t num_groups() const { return num_groups_; }
  /// The learning rate of the next step: the group's option times the factor below.
  double lr(size_t group = 0) const { return base_lr(group) * lr_factor_; }
  /// Scales the learning rates of all groups; a Schedule sets it.
  void set_lr_factor(double factor) { lr_factor_ = factor; }
  double lr_factor() const { return lr_factor_; }

  /// What the next steps depend on besides parameters and options, sharing memory with the
  /// optimizer: `step.<parameter>` (int64), moments such as `exp_avg.<parameter>`, and `lr_factor`.
  NamedTensors state_dict() const;
  /// Copies such a state in. All is checked first: an Error names the first tensor that is missing,
  /// unexpected or of another shape or dtype.
  void load_state_dict(const NamedTensors& state);
  /// Shape of what is kept as `buffer` of a parameter of that shape, which it has by default.
  virtual Shape buffer_shape(const std::string& /*buffer*/, const Shape& parameter) const {
    return parameter;
  }
  /// Throws what load_state_dict would throw, and changes nothing.
  void check_state_dict(const NamedTensors& state) const { restored(state); }

 protected:
  /// A parameter and what the optimizer remembers of it.
  struct Slot {
    std::string name;
    size_t group;
    Tensor parameter;
    int64_t steps = 0;   ///< taken, with the one that is being taken
    Tensors buffers;     ///< as buffer_names() says, zeros at first; none before the first step
    bool fresh = false;  ///< whether a buffer was made for the step that is being taken
  };

  /// `who` starts error messages. Error unless the parameters are contiguous floating leaves, each
  /// given once.
  Optimizer(const char* who, const std::vector<NamedTensors>& groups);

  virtual double base_lr(size_t group) const = 0;
  /// Names of tensors that are kept from step to step, and saved.
  virtual std::vector<std::string> buffer_names(size_t group) const = 0;
  /// How many of those every parameter that was updated has; the options that ask for the others
  /// may be switched on later.
  virtual size_t always_buffers() const { return std::numeric_limits<size_t>::max(); }

  /// The rule, in tensor code, with nothing recorded: the new parameter from the old one and its
  /// gradient. New values of buffers are assigned to slot.buffers.
  virtual Tensor update(Slot& slot, const Tensor& gradient) const = 0;

  /// Whether the same rule is there as a loop too, which then runs instead.
  virtual bool has_kernel() const { return false; }
  /// Elements [begin, begin + n) of a parameter, and what their gradient is multiplied with.
  struct Part {
    int64_t begin, n;
    double gradient_scale;
  };
  /// Updates a part of a parameter and of its buffers in place. Called by several threads.
  virtual void run_kernel(const Slot&, const Tensor& /*gradient*/, const Part&) const {}

  const char* who() const { return who_; }

 private:
  void add(const NamedTensor& parameter, size_t group);
  void prepare(Slot& slot) const;
  void run_rule(Slot& slot, const Tensor& gradient) const;
  void check_new(const Slot& slot, const std::string& what, const Tensor& old,
                 const Tensor& value) const;
  void copy_into(Tensor into, const Tensor& value) const;
  void run_kernels(const Tensors& gradients, const std::vector<double>& scales) const;
  std::vector<Slot> restored(const NamedTensors& state) const;

  const char* who_;
  size_t num_groups_;
  std::vector<Slot> slots_;
  double lr_factor_ = 1;
};

/// Parameters with options of their own.
template <class Options>
struct ParameterGroup {
  NamedTensors parameters;
  Options options;
};

/// An optimizer whose groups have options of one type, with a member `lr`.
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  using Groups = std::vector<ParameterGroup<Options>>;

  /// May be changed between steps.
  Options& options(size_t group = 0) { return options_.at(group); }
  const Options& options(size_t group = 0) const { return options_.at(group); }

 protected:
  OptimizerOf(const char* who, const Groups& groups) : Optimizer(who, parameters_of(groups)) {
    for (const auto& g : groups) options_.push_back(g.options);
  }
  double base_lr(size_t group) const override { return options_.at(group).lr; }

 private:
  static std::vector<NamedTensors> parameters_of(const Groups& groups) {
    std::vector<NamedTensors> all;
    for (const auto& g : groups) all.push_back(g.parameters);
    return all;
  }

  std::vector<Options> options_;
};

}  // namespace weft
