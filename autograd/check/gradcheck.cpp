#include <weft/autograd/check/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace weft {
namespace {

constexpr const char* kOrders[] = {"", "second order, ", "third order, "};

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

// Writes the elements of `from` into `into`, which has its shape and any strides.
Tensor fill(Tensor into, const Tensor& from) {
  const std::vector<double> values = from.to_vector<double>();
  double* p = into.mutable_data<double>();
  for (int64_t i = 0; i < from.numel(); ++i) {
    const Shape at = index_at(from.shape(), i);
    int64_t offset = 0;
    for (int d = 0; d < from.dim(); ++d) offset += at[d] * into.strides()[d];
    p[offset] = values[static_cast<size_t>(i)];
  }
  return into;
}

// A copy of `t` with the same strides, moved by `step` along `direction`; row-major where elements
// share places, for they move one by one.
Tensor moved(const Tensor& t, const Tensor& direction, double step) {
  NoGrad no_grad;
  Tensor dense = t + direction * step;
  int64_t span = 1;
  for (int d = 0; d < t.dim(); ++d) span += (t.size(d) - 1) * t.strides()[d];
  if (t.is_contiguous() || span < t.numel()) return dense;
  return fill(zeros({span}, kFloat64).strided_view(t.shape(), t.strides()), dense);
}

// The same elements with a gap after each.
Tensor spread(const Tensor& t) {
  if (!differentiable(t) || t.numel() == 0) return t;
  Shape strides = contiguous_strides(t.shape());
  for (int64_t& s : std::span(&strides[0], static_cast<size_t>(strides.rank()))) s *= 2;
  return fill(zeros({2 * t.numel()}, kFloat64).strided_view(t.shape(), strides), t);
}

// The first row in place of every row, without copies.
Tensor repeat_first_row(const Tensor& t) {
  if (!differentiable(t) || t.numel() == 0 || t.dim() == 0) return t;
  Shape strides = t.strides();
  strides[0] = 0;
  return t.detach().strided_view(t.shape(), strides);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

Tensor copied(const Tensor& t) { return t.defined() ? clone(t) : t; }

Tensors each(Tensor (*f)(const Tensor&), Tensors ts) {
  for (Tensor& t : ts) t = f(t);
  return ts;
}

// Gradients of <cotangents, ys> by those xs that require one; zeros where there is none.
Tensors gradients(const Tensors& ys, const Tensors& cotangents, const Tensors& xs,
                  bool create = false) {
  Tensors outputs, seeds, wanted, all(xs.size());
  for (size_t i = 0; i < ys.size(); ++i)
    if (differentiable(ys[i]) && ys[i].requires_grad() && cotangents[i].defined()) {
      outputs.push_back(ys[i]);
      seeds.push_back(cotangents[i]);
    }
  for (const Tensor& x : xs)
    if (differentiable(x) && x.requires_grad()) wanted.push_back(x);
  Tensors found(wanted.size());
  if (!outputs.empty() && !wanted.empty())
    found = grad(outputs, wanted, {seeds, true, create, true});
  size_t next = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    if (!differentiable(xs[i]) || !xs[i].requires_grad()) continue;
    all[i] = found[next].defined() ? found[next] : zeros(xs[i].shape(), xs[i].dtype());
    ++next;
  }
  return all;
}

// The gradient of <c, f(x)> by x, as a function of the n inputs x and of c.
SampleFunction gradient_of(const SampleFunction& f, size_t n) {
  return [f, n](const Tensors& in) {
    GradMode record_f(true);
    const auto middle = in.begin() + static_cast<std::ptrdiff_t>(n);
    Tensors xs, cs(middle, in.end());
    for (size_t i = 0; i < n; ++i)
      xs.push_back(differentiable(in[i]) && !in[i].requires_grad()
                       ? in[i].detach().set_requires_grad()
                       : in[i]);
    return gradients(f(xs), cs, xs, true);
  };
}

// f, held to what it returned at first: so many tensors, of such shapes and dtypes.
SampleFunction steady(const std::string& name, const SampleFunction& f) {
  return [name, f, first = std::make_shared<Tensors>()](const Tensors& in) {
    Tensors ys = f(in);
    for (size_t i = 0; i < ys.size(); ++i) {
      check(ys[i].defined(), "gradcheck: output {} of {} is undefined", i, name);
      check(ys[i].dtype() != kFloat32,
            "gradcheck: floating outputs must be float64; output {} of {} is float32", i, name);
    }
    if (first->empty())
      for (const Tensor& y : ys) first->push_back(y.detach());
    const auto alike = [](const Tensor& a, const Tensor& b) {
      return a.shape() == b.shape() && a.dtype() == b.dtype();
    };
    const bool same = std::equal(ys.begin(), ys.end(), first->begin(), first->end(), alike);
    check(same, "gradcheck: {} must return as many tensors of the same shapes at every call", name);
    return ys;
  };
}

double dot(const Tensors& a, const Tensors& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].defined() && b[i].defined()) total += sum(a[i].detach() * b[i].detach()).item();
  return total;
}

// Scaled to length 1: a longer step would leave the realm where differences are derivatives.
Tensors unit(Tensors directions) {
  const double length = std::sqrt(dot(directions, directions));
  for (Tensor& d : directions)
    if (d.defined() && length > 0) d = d / length;
  return directions;
}

class Checker {
 public:
  Checker(std::string name, const GradcheckOptions& options)
      : name_(std::move(name)), options_(options), generator_(options.seed) {}

  GradcheckReport run(const SampleFunction& f, const Tensors& inputs) {
    inputs_ = inputs.size();
    SampleFunction g = f;
    Tensors all = inputs;
    repeats(f, inputs);
    // A wrong gradient's own gradient says no more.
    for (order_ = 0; order_ < options_.order && report_.failure.empty(); ++order_) {
      if (order_ > 0) {  // the gradient of the order before, by its inputs and cotangents
        const size_t n = all.size();
        for (const Tensor& c : random_like(g(leaves_of(all)))) all.push_back(c);
        g = gradient_of(g, n);
      }
      differences(g, all);
      if (order_ < 2) forward(g, all);
      if (order_ == 0) backward_again(g, all);
    }
    return std::move(report_);
  }

 private:
  using Value = std::function<double(const Tensors&)>;

  Tensors random_like(const Tensors& ys) {
    Tensors out;
    for (const Tensor& y : ys)
      out.push_back(differentiable(y) ? randn(y.shape(), generator_, kFloat64) : Tensor());
    return out;
  }

  std::string label(size_t i) const {
    if (i < options_.names.size()) return options_.names[i];
    return i < inputs_ ? fmt::format("input {}", i) : fmt::format("cotangent {}", i - inputs_);
  }

  // --- Analytic against numeric ---

  void differences(const SampleFunction& f, const Tensors& inputs) {
    const Tensors leaves = leaves_of(inputs);
    const Tensors ys = f(leaves), cotangents = random_like(ys);
    const Tensors analytic = gradients(ys, cotangents, leaves);
    const Value value = [&](const Tensors& at) {
      NoGrad no_grad;
      return dot(f(at), cotangents);
    };
    std::string together;
    if (order_ == 2) {
      together = all_at_once(value, inputs, analytic);
      if (together.empty()) return;
    }
    for (size_t i = 0; i < inputs.size(); ++i)
      if (differentiable(inputs[i])) by_element(value, inputs, i, analytic[i]);
    if (!together.empty()) fail_with(together);
  }

  double numeric(const Value& value, const Tensors& inputs, const Tensors& directions) const {
    auto at = [&](double step) {
      Tensors xs = inputs;
      for (size_t i = 0; i < xs.size(); ++i)
        if (directions[i].defined()) xs[i] = moved(inputs[i].detach(), directions[i], step);
      return value(xs);
    };
    return (at(options_.step) - at(-options_.step)) / (2 * options_.step);
  }

  // What is wrong, if anything, along directions in all inputs.
  std::string all_at_once(const Value& value, const Tensors& inputs, const Tensors& analytic) {
    constexpr int kDirections = 2;
    for (int k = 0; k < kDirections; ++k) {
      const Tensors directions = unit(random_like(inputs));
      const double exact = dot(analytic, directions),
                   differences = numeric(value, inputs, directions);
      ++report_.gradients[2];
      if (const double error = error_of(exact, differences); error <= options_.tolerance)
        report_.worst = std::max(report_.worst, error);
      else
        return fmt::format("in a direction of all inputs: analytic {:.6g}, numeric {:.6g}", exact,
                           differences);
    }
    return "";
  }

  void by_element(const Value& value, const Tensors& inputs, size_t i, const Tensor& analytic) {
    const Shape& shape = inputs[i].shape();
    const int64_t n = inputs[i].numel();
    const int limit = order_ < 2 ? options_.directions[static_cast<size_t>(order_)] : 0;
    const bool every = limit == 0 || n <= limit;
    const int64_t count = every ? n : limit;
    const auto elements = analytic.to_vector<double>();
    for (int64_t k = 0; k < count; ++k) {
      Tensors directions(inputs.size());
      directions[i] = zeros(shape, kFloat64);
      if (every)
        directions[i].mutable_data<double>()[k] = 1;
      else
        directions[i] = unit({randn(shape, generator_, kFloat64)})[0];
      const std::string where =
          every ? to_string(index_at(shape, k)) : fmt::format("direction {}", k);
      const double exact =
          every ? elements[static_cast<size_t>(k)] : sum(analytic.detach() * directions[i]).item();
      note(exact, numeric(value, inputs, directions), fmt::format("{} at {}", label(i), where));
    }
  }

  static double error_of(double exact, double numeric) {
    return std::abs(exact - numeric) / std::max(1.0, std::abs(numeric));
  }

  void note(double exact, double numeric, const std::string& where) {
    ++report_.gradients[static_cast<size_t>(order_)];
    const double error = error_of(exact, numeric);
    const bool bad = !(error <= options_.tolerance);  // NaN is bad, and the worst
    const bool worse = !(error <= report_.worst) && !std::isnan(report_.worst);
    if (bad && (report_.failure.empty() || worse))
      report_.failure = fmt::format("{}: {}{}: analytic {:.6g}, numeric {:.6g}", name_,
                                    kOrders[order_], where, exact, numeric);
    if (worse) report_.worst = error;
  }

  // --- Analytic against analytic ---

  // Without this, every difference would be NaN, wherever it comes from.
  void finite(const Tensor& y, size_t i) {
    const auto values = y.to_vector<double>();
    const auto bad =
        std::find_if_not(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
    if (bad != values.end())
      fail_with(fmt::format("output {} at {} is {}", i, index_at(y.shape(), bad - values.begin()),
                            std::isnan(*bad) ? "nan" : "infinite"));
  }

  // Without this, differences of a random function would be told as a wrong gradient.
  void repeats(const SampleFunction& f, const Tensors& inputs) {
    const Tensors once = f(leaves_of(inputs)), again = f(leaves_of(inputs));
    check(std::any_of(once.begin(), once.end(), differentiable),
          "gradcheck: {} returns no floating tensor", name_);
    for (size_t i = 0; i < once.size(); ++i) {
      if (!differentiable(once[i])) continue;
      finite(once[i], i);
      if (!same_bits(once[i], again[i]))
        fail_with(
            fmt::format("two calls give different values of output {}; a generator is to be "
                        "seeded within the function",
                        i));
    }
  }

  // <c, J v> = <J^T c, v>
  void forward(const SampleFunction& f, const Tensors& inputs) {
    const Tensors leaves = leaves_of(inputs), ys = f(leaves);
    const Tensors c = random_like(ys), v = random_like(inputs);
    NoGrad no_grad;
    const Tensors tangents = jvp(f, inputs, v, {.allow_unused = true}),
                  pulled = gradients(ys, c, leaves);
    const double along = dot(c, tangents), across = dot(pulled, v);
    if (!(std::abs(along - across) <= 1e-9 * std::max(1.0, std::abs(across))))
      fail_with(fmt::format("jvp is not the transpose of vjp: {:.9g} and {:.9g}", along, across));
  }

  void backward_again(const SampleFunction& f, const Tensors& inputs) {
    constexpr double kRounding = 1e-11;
    const Tensors leaves = leaves_of(inputs), ys = f(leaves), c = random_like(ys);
    const Tensors once = gradients(ys, c, leaves);
    agree("backward twice", gradients(ys, c, leaves), once, 0);
    agree("output gradients with gaps", gradients(ys, each(spread, c), leaves), once, kRounding);
    const Tensors rows = each(repeat_first_row, c);
    agree("output gradients of one row stretched", gradients(ys, rows, leaves),
          gradients(ys, each(copied, rows), leaves), kRounding);
    for (size_t k = 0; ys.size() > 1 && k < ys.size(); ++k) {
      Tensors missing = c, zero = c;
      missing[k] = Tensor();
      if (c[k].defined()) zero[k] = zeros(c[k].shape(), kFloat64);
      agree(fmt::format("without the gradient of output {}", k), gradients(ys, missing, leaves),
            gradients(ys, zero, leaves), kRounding);
    }
    const Tensors gaps = leaves_of(each(spread, inputs));
    agree("inputs with gaps", gradients(f(gaps), c, gaps), once, kRounding);
    const Tensors views = leaves_of(each(repeat_first_row, inputs));
    const Tensors copies = leaves_of(each(copied, each(repeat_first_row, inputs)));
    agree("inputs of one row stretched", gradients(f(views), c, views),
          gradients(f(copies), c, copies), kRounding);
  }

  // Names the entry at which the gradients differ most, if by more than `allowed`.
  void agree(const std::string& what, const Tensors& got, const Tensors& want, double allowed) {
    double worst = allowed;
    std::string text;
    for (size_t i = 0; i < want.size(); ++i) {
      if (!want[i].defined()) continue;
      const auto a = got[i].to_vector<double>(), b = want[i].to_vector<double>();
      for (size_t k = 0; k < b.size(); ++k) {
        const double error = std::abs(a[k] - b[k]) / std::max(1.0, std::abs(b[k]));
        if (error <= worst || std::isnan(worst) || a[k] == b[k]) continue;
        if (std::isnan(a[k]) && std::isnan(b[k])) continue;
        worst = error;
        text =
            fmt::format("{}: {} at {}: {:.9g}, not {:.9g}", what, label(i),
                        to_string(index_at(want[i].shape(), static_cast<int64_t>(k))), a[k], b[k]);
      }
    }
    if (!text.empty()) fail_with(text);
  }

  void fail_with(const std::string& what) {
    if (report_.failure.empty())
      report_.failure = fmt::format("{}: {}{}", name_, kOrders[order_], what);
  }

  std::string name_;
  GradcheckOptions options_;
  Generator generator_;
  GradcheckReport report_;
  size_t inputs_ = 0;  // of the function itself; cotangents follow
  int order_ = 0;      // counted from 0
};

}  // namespace

GradcheckReport gradcheck(const std::string& name, const SampleFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options) {
  check(options.order >= 1 && options.order <= 3, "gradcheck: order must be 1, 2 or 3; got {}",
        options.order);
  for (const int n : options.directions)
    check(n >= 0, "gradcheck: directions must not be negative; got {}", n);
  check(std::any_of(inputs.begin(), inputs.end(), differentiable),
        "gradcheck: {} has no floating input", name);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (differentiable(inputs[i]))
      check(inputs[i].dtype() == kFloat64,
            "gradcheck: floating inputs must be float64; input {} of {} is {}", i, name,
            to_string(inputs[i].dtype()));
  GradMode record_f(true);
  return Checker(name, options).run(steady(name, f), inputs);
}

}  // namespace weft
