#include <weft/autograd/check/check_op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

int64_t count(const Tensors& ts) {
  int64_t n = 0;
  for (const Tensor& t : ts)
    if (differentiable(t)) n += t.numel();
  return n;
}

double largest_difference(const Tensors& a, const Tensors& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!differentiable(a[i]) || !b[i].defined()) continue;
    const Tensor scale = maximum(abs(to(b[i].detach(), kFloat64)), ones({}, kFloat64));
    const Tensor error = abs(to(a[i].detach(), kFloat64) - to(b[i].detach(), kFloat64)) / scale;
    const double largest = error.numel() ? max(error).item() : 0;
    if (std::isnan(largest)) return largest;
    worst = std::max(worst, largest);
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
  e.gradients.resize(wanted.size());
  if (!outputs.empty() && !wanted.empty())
    e.gradients = grad(outputs, wanted, {cotangents, false, false, true});
  e.gradients = with_zeros(std::move(e.gradients), wanted);
  return e;
}

bool same_shapes(const Tensors& a, const Tensors& b) {
  auto same = [](const Tensor& x, const Tensor& y) {
    return x.defined() == y.defined() && (!x.defined() || x.shape() == y.shape());
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

void compare(OpReport& report, const std::string& what, const Evaluation& a, const Evaluation& b,
             double tolerance) {
  if (!same_shapes(a.values, b.values) || !same_shapes(a.gradients, b.gradients))
    return report.failures.push_back(fmt::format("{}: shapes differ", what));
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

// A vjp that captured a result holds the graph that it is part of, for ever.
bool frees_graph(const Sample& s) {
  Tensors xs;
  for (const Tensor& t : s.inputs)
    xs.push_back(differentiable(t) ? t.detach().set_requires_grad() : t);
  s.f(xs);
  return std::all_of(xs.begin(), xs.end(), [](const Tensor& x) {
    return !differentiable(x) || x.slot()->use_count() == 1;
  });
}

void check_sample(OpReport& report, const std::string& name, const Sample& s,
                  const GradcheckOptions& options) {
  constexpr double kExact = 1e-10, kSingle = 2e-4;
  const GradcheckReport r = gradcheck(name, s.f, s.inputs, options);
  ++report.samples;
  for (size_t k = 0; k < r.gradients.size(); ++k) report.gradients[k] += r.gradients[k];
  report.worst = std::max(report.worst, r.worst);
  if (!r.failure.empty()) report.failures.push_back(r.failure);
  const Evaluation exact = evaluate(s.f, s.inputs, kFloat64),
                   single = evaluate(s.f, s.inputs, kFloat32);
  compare(report, name + ", float32 against float64", single, exact, kSingle);
  report.singles += static_cast<int>(count(single.values) + count(single.gradients));
  if (!frees_graph(s))
    report.failures.push_back(name +
                              ": its graph outlives its results; a vjp must keep tensors by "
                              "save() and save_output(), not capture them");
  if (s.composition)
    compare(report, name + " against its composition", exact,
            evaluate(s.composition, s.inputs, kFloat64), kExact);
}

}  // namespace

OpReport check_op(const Op& op, const GradcheckOptions& options) {
  GradMode record_ops(true);
  Samples samples;
  op.samples(samples);
  OpReport report;
  if (samples.samples().empty())
    report.failures.push_back(fmt::format("{}: has no samples", op.name));
  for (const Sample& s : samples.samples()) {
    const std::string name = fmt::format("{}/{}", op.name, s.name);
    try {
      check_sample(report, name, s, options);
    } catch (const std::exception& e) {
      report.failures.push_back(name + ": " + e.what());
    }
  }
  for (const ErrorSample& e : samples.errors()) check_error(report, op, e);
  return report;
}

}  // namespace weft
