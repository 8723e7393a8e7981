// gru_scan and lstm_scan: a recurrent layer's steps through time, from what the inputs give the
// gates. With a = W h' + b for the state h' of the step before, and rows of gates as in PyTorch,
//   GRU:   r, z = sigmoid(x + a)  n = tanh(x_n + r a_n)   h = n + z (h' - n)
//   LSTM:  i, f, o = sigmoid(x + a)  g = tanh(x_g + a_g)  c = f c' + i g,  h = o tanh(c)
// Backward goes through time the other way; with da the gradients of all steps' a,
//   dh' = da W + (what passes the gates),  dW = da^T h' and db = sum da, of all steps at once.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/optional_data.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/recurrent.h>
#include <weft/core/parallel.h>

namespace weft {
namespace {

extern const Op kGruScan, kLstmScan;

constexpr double kCellCost = 5;  // nanoseconds for one of a state

struct Scan {
  int64_t steps, rows, width, gates;
  bool reverse;

  Scan(const Tensor& x, const Tensor& hidden, const ScanOptions& o)
      : steps(x.size(0)),
        rows(x.size(1)),
        width(hidden.size(1)),
        gates(x.size(2)),
        reverse(o.reverse) {}
  /// The i-th step in the order of time.
  int64_t at(int64_t i) const { return reverse ? steps - 1 - i : i; }
  int64_t state(int64_t step) const { return step * rows * width; }
  int64_t gate(int64_t step) const { return step * rows * gates; }
};

// The states that the steps began with, [T, B, H].
Tensor states_before(const Scan& s, const Tensor& states, const Tensor& first) {
  const Tensor begin = reshape(first, {1, s.rows, s.width});
  if (s.steps == 1) return begin;
  return s.reverse ? cat({slice(states, 0, 1), begin}, 0)
                   : cat({begin, slice(states, 0, 0, s.steps - 1)}, 0);
}

// a = W h' + b of each step, at products + t * stride; then step(t, first row, end of rows, h').
template <class T, class Step>
void forward_in_time(const Scan& s, const Tensors& in, const T* states, T* products, int64_t stride,
                     Step step) {
  const T *first = in[1].data<T>(), *bias = detail::data_or_null<T>(in[3]);
  const RightOperand<T> weight(true, s.rows, s.gates, s.width, in[2].data<T>(), s.width);
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t t = s.at(i);
    const T* last = i == 0 ? first : states + s.state(s.at(i - 1));
    T* a = products + t * stride;
    auto finish = [&](int64_t begin, int64_t end) {
      if (bias)
        for (int64_t row = begin; row < end; ++row)
          kernels::add_inplace<T>(a + row * s.gates, bias, s.gates);
      step(t, begin, end, last);
    };
    weight.multiply(s.rows, last, s.width, a, s.gates, finish);
  }
}

// From the last step to the first: dh += dy of the step, step(t, first row, end of rows), which
// makes da and leaves in dh what passes the gates, and dh += da W.
template <class T, class Step>
void backward_in_time(const Scan& s, const Tensor& w, const Tensor& dy, const T* da, T* dh,
                      Step step) {
  const RightOperand<T> weight(false, s.rows, s.width, s.gates, w.data<T>(), s.width);
  const Tensor through({s.rows, s.width}, w.dtype());
  T* product = static_cast<T*>(through.raw());
  for (int64_t i = s.steps - 1; i >= 0; --i) {
    const int64_t t = s.at(i);
    const T* given = dy.defined() ? dy.data<T>() + s.state(t) : nullptr;
    parallel_for(s.rows, grain_of_cost(kCellCost * static_cast<double>(s.width)),
                 [&](int64_t begin, int64_t end) {
                   const int64_t at = begin * s.width, count = (end - begin) * s.width;
                   if (given) kernels::add_inplace<T>(dh + at, given + at, count);
                   step(t, begin, end);
                 });
    weight.multiply(s.rows, da + s.gate(t), s.gates, product, s.width,
                    [&](int64_t begin, int64_t end) {
                      kernels::add_inplace<T>(dh + begin * s.width, product + begin * s.width,
                                              (end - begin) * s.width);
                    });
  }
}

// dW and db of all steps from da [T, B, gates].
void parameter_gradients(const Backward& b, const Scan& s, const Tensor& da, const Tensor& before,
                         Tensor& dweight, Tensor& dbias) {
  const Tensor flat = reshape(da, {s.steps * s.rows, s.gates});
  if (b.needs(2))
    dweight = matmul(transpose(flat, 0, 1), reshape(before, {s.steps * s.rows, s.width}));
  if (b.needs(3)) dbias = sum(flat, {0});
}

const bool* within_at(const ScanOptions& o, int64_t row) {
  return o.within.defined() ? o.within.data<bool>() + row : nullptr;
}

// step(states, its gates) in the order of time, held where a row is not within.
template <class Step>
Tensors composed_in_time(const Scan& s, const ScanOptions& o, const Tensor& gates, Tensors state,
                         Step step) {
  // What stands where no row is within would meet the weights' gradients.
  const Tensor x =
      o.within.defined() ? where(unsqueeze(o.within, -1), gates, zeros({}, gates.dtype())) : gates;
  std::vector<Tensors> all(state.size(), Tensors(static_cast<size_t>(s.steps)));
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t t = s.at(i);
    Tensors next = step(state, select(x, 0, t));
    for (size_t k = 0; k < state.size(); ++k) {
      if (o.within.defined())
        next[k] = where(unsqueeze(select(o.within, 0, t), -1), next[k], state[k]);
      all[k][static_cast<size_t>(t)] = next[k];
    }
    state = next;
  }
  Tensors stacked;
  for (const Tensors& steps : all) stacked.push_back(stack(steps, 0));
  return stacked;
}

// Gradients of gradients come from these. in: gates, hidden, weight, bias, cell.
Tensors composed_gru(const Tensors& in, const ScanOptions& o) {
  const Scan s(in[0], in[1], o);
  return composed_in_time(s, o, in[0], {in[1]}, [&](const Tensors& last, const Tensor& gates) {
    const Tensors x = split(gates, s.width, -1),
                  a = split(linear(last[0], in[2], in[3]), s.width, -1);
    const Tensor reset = sigmoid(x[0] + a[0]), keep = sigmoid(x[1] + a[1]);
    const Tensor fresh = tanh(x[2] + reset * a[2]);
    return Tensors{fresh + keep * (last[0] - fresh)};
  });
}

Tensors composed_lstm(const Tensors& in, const ScanOptions& o) {
  const Scan s(in[0], in[1], o);
  return composed_in_time(s, o, in[0], {in[1], in[4]}, [&](const Tensors& last, const Tensor& x) {
    const Tensors gates = split(x + linear(last[0], in[2], in[3]), s.width, -1);
    const Tensor cell = sigmoid(gates[1]) * last[1] + sigmoid(gates[0]) * tanh(gates[2]);
    return Tensors{sigmoid(gates[3]) * tanh(cell), cell};
  });
}

// in: gates, hidden, weight, bias; and an LSTM's cell.
Tensors checked(const char* who, int64_t count, const Tensors& in, ScanOptions& o) {
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}})
    check(in[i].defined(), "{}: an operand is undefined", who);
  check(in[1].dim() == 2, "{}: the state must be [B, H]; got {}", who, in[1].shape());
  const int64_t rows = in[1].size(0), width = in[1].size(1);
  check(in[0].dim() == 3 && in[0].size(0) > 0 && in[0].size(1) == rows &&
            in[0].size(2) == count * width,
        "{}: gates must be [T, {}, {}], T at least 1; got {}", who, rows, count * width,
        in[0].shape());
  check(in[2].shape() == Shape{count * width, width}, "{}: the weight must be [{}, {}]; got {}",
        who, count * width, width, in[2].shape());
  check(!in[3].defined() || in[3].shape() == Shape{count * width},
        "{}: the bias must be [{}]; got {}", who, count * width,
        in[3].defined() ? in[3].shape() : Shape());
  check(in.size() < 5 || (in[4].defined() && in[4].shape() == in[1].shape()),
        "{}: the cell must have the shape of the hidden state, {}; got {}", who, in[1].shape(),
        in.size() > 4 && in[4].defined() ? to_string(in[4].shape()) : "an undefined tensor");
  Tensors dense;
  for (const Tensor& t : in) {
    check(!t.defined() || t.dtype() == in[0].dtype(), "{}: expected {} everywhere; got {}", who,
          to_string(in[0].dtype()), t.defined() ? to_string(t.dtype()) : "");
    dense.push_back(t.defined() ? contiguous(t) : t);
  }
  if (!o.within.defined()) return dense;
  check(o.within.dtype() == kBool && o.within.shape() == Shape{in[0].size(0), rows},
        "{}: within must be bool [{}, {}]; got {} {}", who, in[0].size(0), rows,
        to_string(o.within.dtype()), o.within.shape());
  o.within = contiguous(o.within);
  return dense;
}

Tensors saved(const Backward& b, const std::vector<Saved>& kept) {
  Tensors in;
  for (const Saved& s : kept) in.push_back(b.saved(s));
  return in;
}

std::vector<Saved> save_all(const Tensors& in) {
  std::vector<Saved> kept;
  for (const Tensor& t : in) kept.push_back(save(t));
  return kept;
}

Tensors gru_gradients(const Backward& b, const Tensors& in, const Tensor& states,
                      const Tensor& kept, const ScanOptions& o) {
  const Scan s(in[0], in[1], o);
  const Tensor dy = contiguous(b.dy()), before = states_before(s, states, in[1]);
  const Tensor dx(in[0].shape(), dy.dtype()), da(in[0].shape(), dy.dtype());
  const Tensor dh = zeros(in[1].shape(), dy.dtype());
  dispatch_floating("gru_scan", dy.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pkept = kept.data<T>(), *last = before.data<T>();
    T *pdx = static_cast<T*>(dx.raw()), *pda = static_cast<T*>(da.raw()),
      *pdh = static_cast<T*>(dh.raw());
    backward_in_time<T>(s, in[2], dy, pda, pdh, [&](int64_t t, int64_t begin, int64_t end) {
      const int64_t row = t * s.rows + begin;
      kernels::gru_grad_rows<T>(pkept + row * 4 * s.width, last + row * s.width, within_at(o, row),
                                pdh + begin * s.width, pdx + row * s.gates, pda + row * s.gates,
                                end - begin, s.width);
    });
  });
  Tensors d{dx, dh, {}, {}};
  parameter_gradients(b, s, da, before, d[2], d[3]);
  return d;
}

Tensors lstm_gradients(const Backward& b, const Tensors& in, const Tensors& states,
                       const Tensor& gates, const ScanOptions& o) {
  const Scan s(in[0], in[1], o);
  auto dense = [](const Tensor& t) { return t.defined() ? contiguous(t) : t; };
  const Tensor dy = dense(b.dy(0)), dy_cell = dense(b.dy(1));
  const Tensor before = states_before(s, states[0], in[1]),
               cell_before = states_before(s, states[1], in[4]);
  const Tensor da(in[0].shape(), in[0].dtype());
  const Tensor dh = zeros(in[1].shape(), da.dtype()), dc = zeros(in[4].shape(), da.dtype());
  dispatch_floating("lstm_scan", da.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *pgates = gates.data<T>(), *cell = states[1].data<T>(), *last = cell_before.data<T>();
    const T* from_cell = detail::data_or_null<T>(dy_cell);
    T *pda = static_cast<T*>(da.raw()), *pdh = static_cast<T*>(dh.raw()),
      *pdc = static_cast<T*>(dc.raw());
    backward_in_time<T>(s, in[2], dy, pda, pdh, [&](int64_t t, int64_t begin, int64_t end) {
      const int64_t row = t * s.rows + begin, here = row * s.width, at = begin * s.width;
      if (from_cell) kernels::add_inplace<T>(pdc + at, from_cell + here, (end - begin) * s.width);
      kernels::lstm_grad_rows<T>(pgates + row * s.gates, cell + here, last + here,
                                 within_at(o, row), pdh + at, pdc + at, pda + row * s.gates,
                                 end - begin, s.width);
    });
  });
  Tensors d{da, dh, {}, {}, dc};
  parameter_gradients(b, s, da, before, d[2], d[3]);
  return d;
}

}  // namespace

Tensor gru_scan(const Tensor& gates, const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                ScanOptions o) {
  const Tensors in = checked("gru_scan", 3, {gates, hidden, weight, bias}, o);
  const Scan s(in[0], in[1], o);
  const Tensor states({s.steps, s.rows, s.width}, in[0].dtype());
  const Tensor kept({s.steps, s.rows, 4 * s.width}, in[0].dtype());
  const Tensor product({s.rows, s.gates}, in[0].dtype());
  dispatch_floating("gru_scan", in[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = in[0].data<T>();
    T *y = static_cast<T*>(states.raw()), *a = static_cast<T*>(product.raw()),
      *pkept = static_cast<T*>(kept.raw());
    forward_in_time<T>(s, in, y, a, 0, [&](int64_t t, int64_t begin, int64_t end, const T* last) {
      const int64_t row = t * s.rows + begin;
      kernels::gru_rows<T>(x + row * s.gates, a + begin * s.gates, last + begin * s.width,
                           within_at(o, row), y + row * s.width, pkept + row * 4 * s.width,
                           end - begin, s.width);
    });
  });
  return record(kGruScan, states, in,
                [in = save_all(in), y = save_output(states), kept = save(kept), o](Backward& b) {
                  if (b.first_order())
                    return gru_gradients(b, saved(b, in), b.saved(y), b.saved(kept), o);
                  return vjp([&](const Tensors& x) { return composed_gru(x, o); }, saved(b, in),
                             {b.dy()});
                });
}

Tensors lstm_scan(const Tensor& gates, const Tensor& hidden, const Tensor& cell,
                  const Tensor& weight, const Tensor& bias, ScanOptions o) {
  const Tensors in = checked("lstm_scan", 4, {gates, hidden, weight, bias, cell}, o);
  const Scan s(in[0], in[1], o);
  const Shape shape{s.steps, s.rows, s.width};
  const Tensor states(shape, in[0].dtype()), cells(shape, in[0].dtype());
  const Tensor sums(in[0].shape(), in[0].dtype());
  dispatch_floating("lstm_scan", in[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *x = in[0].data<T>(), *first = in[4].data<T>();
    T *y = static_cast<T*>(states.raw()), *c = static_cast<T*>(cells.raw()),
      *a = static_cast<T*>(sums.raw());
    const int64_t back = s.reverse ? 1 : -1;
    forward_in_time<T>(s, in, y, a, s.gate(1),
                       [&](int64_t t, int64_t begin, int64_t end, const T* last) {
                         const int64_t row = t * s.rows + begin, at = begin * s.width;
                         const T* last_cell = t == s.at(0) ? first : c + s.state(t + back);
                         kernels::lstm_rows<T>(x + row * s.gates, a + row * s.gates, last + at,
                                               last_cell + at, within_at(o, row), y + row * s.width,
                                               c + row * s.width, end - begin, s.width);
                       });
  });
  return record_all(
      kLstmScan, {states, cells}, in,
      [in = save_all(in), y = save_output(states, 0), c = save_output(cells, 1), sums = save(sums),
       o](Backward& b) {
        if (b.first_order())
          return lstm_gradients(b, saved(b, in), {b.saved(y), b.saved(c)}, b.saved(sums), o);
        return vjp([&](const Tensors& x) { return composed_lstm(x, o); }, saved(b, in),
                   {b.dy(0), b.dy(1)});
      });
}

namespace {

// Calls f with what is missing of in, and what is not within cut off.
template <class F>
SampleFunction call(F f, ScanOptions o, bool bias) {
  return [=](Tensors in) {
    if (!bias) in.insert(in.begin() + 3, Tensor());
    return Tensors(f(in, o));
  };
}

void add_scans(Samples& s, int64_t gates, bool cell,
               Tensors (*f)(const Tensors&, const ScanOptions&),
               Tensors (*composed)(const Tensors&, const ScanOptions&)) {
  auto add = [&](const char* name, int64_t steps, int64_t rows, const ScanOptions& o, bool bias) {
    const int64_t width = 3;
    Tensors in{s.normal({steps, rows, gates * width}), s.normal({rows, width}),
               s.normal({gates * width, width})};
    if (bias) in.push_back(s.normal({gates * width}));
    if (cell) in.push_back(s.normal({rows, width}));
    s.add(name, in, call(f, o, bias), call(composed, o, bias));
  };
  const Tensor within = lt(reshape(arange(3), {3, 1}), tensor({3, 1, 0, 2}));
  add("one step", 1, 2, {}, true);
  add("steps", 3, 4, {}, true);
  add("reverse", 3, 2, {.reverse = true}, true);
  add("lengths", 3, 4, {.within = within}, true);
  add("lengths, reverse, no bias", 3, 4, {.within = within, .reverse = true}, false);
  add("no rows", 2, 0, {}, true);
}

Tensors call_gru(const Tensors& in, const ScanOptions& o) {
  return {gru_scan(in[0], in[1], in[2], in[3], o)};
}
Tensors call_lstm(const Tensors& in, const ScanOptions& o) {
  return lstm_scan(in[0], in[1], in[4], in[2], in[3], o);
}

const Op kGruScan{
    "gru_scan", [](Samples& s) {
      add_scans(s, 3, false, call_gru, composed_gru);
      auto f = [](const Tensors& in) { return gru_scan(in[0], in[1], in[2]); };
      const Tensor x = s.normal({2, 1, 6}), h = s.normal({1, 2}), w = s.normal({6, 2});
      s.add_error({s.normal({2, 1, 5}), h, w}, f,
                  "gru_scan: gates must be [T, 1, 6], T at least 1; got [2, 1, 5]");
      s.add_error({s.normal({0, 1, 6}), h, w}, f,
                  "gru_scan: gates must be [T, 1, 6], T at least 1; got [0, 1, 6]");
      s.add_error({x, s.normal({2}), w}, f, "gru_scan: the state must be [B, H]; got [2]");
      s.add_error({x, h, s.normal({2, 6})}, f, "gru_scan: the weight must be [6, 2]; got [2, 6]");
      s.add_error({x, h, to(w, kFloat32)}, f, "gru_scan: expected float64 everywhere; got float32");
      s.add_error(
          {x, h, w},
          [](const Tensors& in) {
            return gru_scan(in[0], in[1], in[2], {}, {.within = ones({1, 2})});
          },
          "gru_scan: within must be bool [2, 1]; got float32 [1, 2]");
    }};
const Op kLstmScan{"lstm_scan", [](Samples& s) {
                     add_scans(s, 4, true, call_lstm, composed_lstm);
                     s.add_error(
                         {s.normal({2, 1, 8}), s.normal({1, 2}), s.normal({8, 2})},
                         [](const Tensors& in) { return lstm_scan(in[0], in[1], {}, in[2]); },
                         "lstm_scan: the cell must have the shape of the hidden state, [1, 2]; "
                         "got an undefined tensor");
                     s.add_error(
                         {s.normal({2, 1, 8}), s.normal({1, 2}), s.normal({8, 2})},
                         [](const Tensors& in) { return lstm_scan(in[0], {}, in[1], in[2]); },
                         "lstm_scan: an operand is undefined");
                   }};

}  // namespace

}  // namespace weft
