#include <weft/autograd/autograd.h>
#include <weft/autograd/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/core/check.h>

#include <cmath>

namespace weft {
namespace {

bool differentiable(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

// Inputs anew, with floating ones as leaves whose layout (strides) is that of the originals.
Tensors leaves_of(const Tensors& inputs) {
  Tensors out;
  for (const Tensor& t : inputs)
    out.push_back(differentiable(t) ? t.detach().set_requires_grad() : t);
  return out;
}

Shape index_at(const Shape& shape, int64_t i) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = i % shape[d];
    i /= shape[d];
  }
  return index;
}

// A copy of `t` with the same strides, moved by `step` along `direction`.
Tensor moved(const Tensor& t, const Tensor& direction, double step) {
  NoGrad no_grad;
  Tensor dense = t + direction * step;
  if (t.is_contiguous()) return dense;
  Tensor like = t.strided_view({static_cast<int64_t>(t.storage().bytes() / sizeof(double))}, {1});
  Tensor copy = clone(like).strided_view(t.shape(), t.strides());
  const double* from = dense.data<double>();
  double* into = copy.mutable_data<double>();
  for (int64_t i = 0; i < dense.numel(); ++i) {
    const Shape at = index_at(t.shape(), i);
    int64_t offset = 0;
    for (int d = 0; d < t.dim(); ++d) offset += at[d] * t.strides()[d];
    into[offset] = from[i];
  }
  return copy;
}

class Checker {
 public:
  Checker(std::string name, const GradcheckOptions& options)
      : name_(std::move(name)), options_(options), generator_(options.seed) {}

  // One order: compares grad of <c, f> with differences; f may itself be a gradient.
  void run(const SampleFunction& f, const Tensors& inputs, const std::string& order) {
    const Tensors leaves = leaves_of(inputs);
    const Tensors ys = f(leaves);
    const Tensors cotangents = cotangents_for(ys);
    const Tensors analytic = gradients(ys, cotangents, leaves);
    auto value = [&](const Tensors& at) {
      NoGrad no_grad;
      return dot(f(at), cotangents);
    };
    for (size_t i = 0; i < inputs.size(); ++i)
      if (differentiable(inputs[i])) compare_input(value, inputs, i, analytic[i], order);
  }

  // The gradient as a function of the inputs and of the cotangents.
  void run_second(const SampleFunction& f, const Tensors& inputs) {
    const Tensors cotangents = cotangents_for(f(leaves_of(inputs)));
    Tensors all = inputs;
    for (const Tensor& c : cotangents) all.push_back(c);
    const size_t n = inputs.size();
    auto gradient = [&f, n](const Tensors& in) {
      GradMode record_f(true);
      Tensors xs, cs(in.begin() + static_cast<std::ptrdiff_t>(n), in.end());
      for (size_t i = 0; i < n; ++i)
        xs.push_back(differentiable(in[i]) && !in[i].requires_grad()
                         ? in[i].detach().set_requires_grad()
                         : in[i]);
      return gradients(f(xs), cs, xs, true);
    };
    run(gradient, all, "second order, ");
  }

  GradcheckReport take() { return std::move(report_); }

 private:
  static Tensors gradients(const Tensors& ys, const Tensors& cotangents, const Tensors& xs,
                           bool create = false) {
    Tensors outputs, seeds, wanted, all(xs.size());
    for (size_t i = 0; i < ys.size(); ++i)
      if (ys[i].requires_grad() && cotangents[i].defined()) {
        outputs.push_back(ys[i]);
        seeds.push_back(cotangents[i]);
      }
    for (const Tensor& x : xs)
      if (x.requires_grad()) wanted.push_back(x);
    Tensors found(wanted.size());
    if (!outputs.empty() && !wanted.empty())
      found = grad(outputs, wanted, {seeds, create, create, true});
    size_t next = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (!xs[i].requires_grad()) continue;
      all[i] = found[next].defined() ? found[next] : zeros(xs[i].shape(), xs[i].dtype());
      ++next;
    }
    return all;
  }

  Tensors cotangents_for(const Tensors& ys) {
    Tensors out;
    for (const Tensor& y : ys)
      out.push_back(differentiable(y) ? randn(y.shape(), generator_, kFloat64) : Tensor());
    return out;
  }

  static double dot(const Tensors& ys, const Tensors& cotangents) {
    double total = 0;
    for (size_t i = 0; i < ys.size(); ++i)
      if (ys[i].defined() && cotangents[i].defined())
        total += sum(ys[i].detach() * cotangents[i]).item();
    return total;
  }

  template <class F>
  void compare_input(F&& value, const Tensors& inputs, size_t i, const Tensor& analytic,
                     const std::string& order) {
    const Shape& shape = inputs[i].shape();
    const int64_t n = inputs[i].numel();
    const bool every = options_.directions == 0 || n <= options_.directions;
    const int64_t count = every ? n : options_.directions;
    for (int64_t k = 0; k < count; ++k) {
      Tensor direction = zeros(shape, kFloat64);
      if (every)
        direction.mutable_data<double>()[k] = 1;
      else
        direction = randn(shape, generator_, kFloat64);
      Tensors at = inputs;
      at[i] = moved(inputs[i].detach(), direction, options_.step);
      const double above = value(at);
      at[i] = moved(inputs[i].detach(), direction, -options_.step);
      const double numeric = (above - value(at)) / (2 * options_.step);
      const double exact = sum(analytic.detach() * direction).item();
      const std::string where =
          every ? to_string(index_at(shape, k)) : fmt::format("direction {}", k);
      note(exact, numeric, fmt::format("{}input {} at {}", order, i, where));
    }
  }

  void note(double exact, double numeric, const std::string& where) {
    ++report_.gradients;
    const double error = std::abs(exact - numeric) / std::max(1.0, std::abs(numeric));
    const bool bad = !(error <= options_.tolerance);  // NaN is bad
    if (bad && (report_.failure.empty() || error > report_.worst))
      report_.failure =
          fmt::format("{}: {}: analytic {:.6g}, numeric {:.6g}", name_, where, exact, numeric);
    if (!(error <= report_.worst)) report_.worst = error;
  }

  std::string name_;
  GradcheckOptions options_;
  Generator generator_;
  GradcheckReport report_;
};

double largest_difference(const Tensors& a, const Tensors& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!differentiable(a[i]) || !b[i].defined()) continue;
    const Tensor scale = maximum(abs(to(b[i].detach(), kFloat64)), ones({}, kFloat64));
    const Tensor error = abs(to(a[i].detach(), kFloat64) - to(b[i].detach(), kFloat64)) / scale;
    const double largest = error.numel() ? max(error).item() : 0;
    if (!(largest <= worst)) worst = largest;  // NaN counts
  }
  return worst;
}

struct Evaluation {
  Tensors values, gradients;
};

// Values and gradients for a fixed random cotangent, with inputs converted to `dtype`.
Evaluation evaluate(const SampleFunction& f, const Tensors& inputs, DType dtype) {
  Tensors xs;
  for (const Tensor& t : inputs)
    xs.push_back(differentiable(t) ? to(t, dtype).detach().set_requires_grad() : t);
  Evaluation e{f(xs), {}};
  Generator generator(7);
  Tensors seeds;
  for (const Tensor& y : e.values)
    seeds.push_back(differentiable(y) ? to(randn(y.shape(), generator, kFloat64), y.dtype())
                                      : Tensor());
  Tensors outputs, cotangents, wanted;
  for (size_t i = 0; i < e.values.size(); ++i)
    if (e.values[i].requires_grad()) {
      outputs.push_back(e.values[i]);
      cotangents.push_back(seeds[i]);
    }
  for (const Tensor& x : xs)
    if (x.requires_grad()) wanted.push_back(x);
  if (!outputs.empty() && !wanted.empty())
    e.gradients = grad(outputs, wanted, {cotangents, false, false, true});
  return e;
}

void compare(OpReport& report, const std::string& what, const Evaluation& a, const Evaluation& b,
             double tolerance) {
  const double value = largest_difference(a.values, b.values);
  const double gradient = largest_difference(a.gradients, b.gradients);
  if (!(value <= tolerance))
    report.failures.push_back(fmt::format("{}: values differ by {:.3g}", what, value));
  if (!(gradient <= tolerance))
    report.failures.push_back(fmt::format("{}: gradients differ by {:.3g}", what, gradient));
}

void check_error(OpReport& report, const Op& op, const ErrorSample& e) {
  std::string message = "nothing was thrown";
  try {
    e.f(e.inputs);
  } catch (const Error& error) {
    message = error.what();
  }
  ++report.errors;
  if (message != e.message)
    report.failures.push_back(
        fmt::format("{}: expected the error \"{}\"; got \"{}\"", op.name, e.message, message));
}

}  // namespace

GradcheckReport gradcheck(const std::string& name, const SampleFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options) {
  for (size_t i = 0; i < inputs.size(); ++i)
    check(!differentiable(inputs[i]) || inputs[i].dtype() == kFloat64,
          "gradcheck: floating inputs must be float64; input {} of {} is {}", i, name,
          to_string(inputs[i].dtype()));
  Checker checker(name, options);
  checker.run(f, inputs, "");
  if (options.second_order) checker.run_second(f, inputs);
  return checker.take();
}

OpReport check_op(const Op& op, const GradcheckOptions& options) {
  constexpr double kExact = 1e-10, kSingle = 2e-4;
  Samples samples;
  op.samples(samples);
  OpReport report;
  if (samples.samples().empty())
    report.failures.push_back(fmt::format("{}: has no samples", op.name));
  for (const Sample& s : samples.samples()) {
    const std::string name = fmt::format("{}/{}", op.name, s.name);
    const GradcheckReport r = gradcheck(name, s.f, s.inputs, options);
    ++report.samples;
    report.gradients += r.gradients;
    report.worst = std::max(report.worst, r.worst);
    if (!r.failure.empty()) report.failures.push_back(r.failure);
    const Evaluation exact = evaluate(s.f, s.inputs, kFloat64);
    compare(report, name + ", float32 against float64", evaluate(s.f, s.inputs, kFloat32), exact,
            kSingle);
    if (s.composition)
      compare(report, name + " against its composition", exact,
              evaluate(s.composition, s.inputs, kFloat64), kExact);
  }
  for (const ErrorSample& e : samples.errors()) check_error(report, op, e);
  return report;
}

}  // namespace weft
