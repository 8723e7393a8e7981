#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/nn/recurrent/recurrent.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace weft {
namespace detail {
namespace {

RecurrentWeights make_weights(int64_t gates, int64_t input, int64_t hidden, bool bias,
                              const std::string& suffix, const RegisterParameter& parameter,
                              Generator& generator) {
  const int64_t rows = multiply_sizes("recurrent", gates, hidden);
  auto make = [&](const char* name, const Shape& shape) {
    Tensor t = parameter(name + suffix, Tensor(shape));
    const double bound = hidden > 0 ? 1 / std::sqrt(static_cast<double>(hidden)) : 0;
    init::uniform(t, -bound, bound, generator);
    return t;
  };
  RecurrentWeights w;
  w.weight_ih = make("weight_ih", {rows, input});
  w.weight_hh = make("weight_hh", {rows, hidden});
  if (!bias) return w;
  w.bias_ih = make("bias_ih", {rows});
  w.bias_hh = make("bias_hh", {rows});
  return w;
}

// Whether a row has a token at a time step: bool [T, B].
Tensor tokens_within(const std::vector<int64_t>& lengths, int64_t longest) {
  return lt(reshape(arange(longest), {longest, 1}), from_vector(lengths, {std::ssize(lengths)}));
}

// The states after each step of x [T, B, I], from the state [B, H] before them; an LSTM's if it has
// a cell.
RecurrentState scan(const Tensor& x, const RecurrentState& s, const RecurrentWeights& w,
                    const ScanOptions& o) {
  const Tensor gates = linear(x, w.weight_ih, w.bias_ih);
  if (!s.cell.defined()) return {gru_scan(gates, s.hidden, w.weight_hh, w.bias_hh, o), {}};
  const Tensors states = lstm_scan(gates, s.hidden, s.cell, w.weight_hh, w.bias_hh, o);
  return {states[0], states[1]};
}

RecurrentState at_step(const RecurrentState& states, int64_t step) {
  return {select(states.hidden, 0, step),
          states.cell.defined() ? select(states.cell, 0, step) : Tensor()};
}

RecurrentState one_step(const Tensor& x, const RecurrentState& s, const RecurrentWeights& w) {
  return at_step(scan(unsqueeze(x, 0), s, w, {}), 0);
}

// Zeros for what is undefined.
RecurrentState filled(const RecurrentState& s, const Shape& shape, DType dtype, bool cell) {
  const Tensor none = zeros(shape, dtype);
  return {s.hidden.defined() ? s.hidden : none, s.cell.defined() || !cell ? s.cell : none};
}

// The state of each layer and direction, [B, H].
std::vector<RecurrentState> by_layer(const RecurrentState& s) {
  std::vector<RecurrentState> states;
  for (int64_t i = 0; i < s.hidden.size(0); ++i) states.push_back(at_step(s, i));
  return states;
}

RecurrentState joined(const std::vector<RecurrentState>& states) {
  Tensors hidden, cell;
  for (const RecurrentState& s : states) {
    hidden.push_back(s.hidden);
    if (s.cell.defined()) cell.push_back(s.cell);
  }
  return {stack(hidden, 0), cell.empty() ? Tensor() : stack(cell, 0)};
}

RecurrentOptions checked(const RecurrentOptions& o, const char* who) {
  check(o.input_size > 0 && o.hidden_size > 0 && o.num_layers > 0,
        "{}: sizes and num_layers must be positive; got {}, {} and {}", who, o.input_size,
        o.hidden_size, o.num_layers);
  check(o.dropout >= 0 && o.dropout < 1, "{}: dropout must be in [0, 1); got {}", who, o.dropout);
  return o;
}

void check_state(const char* who, const RecurrentState& state, const Shape& wanted) {
  for (const Tensor* t : {&state.hidden, &state.cell})
    check(!t->defined() || t->shape() == wanted, "{}: the state must be {}; got {}", who, wanted,
          t->defined() ? t->shape() : Shape());
}

// The shape of a cell's state, for inputs that fit it.
Shape checked_cell(const char* who, const Tensor& x, const RecurrentState& state,
                   const RecurrentWeights& w) {
  const int64_t width = w.weight_ih.size(1);
  check(x.defined() && x.dim() == 2 && x.size(1) == width, "{}: expected [B, {}]; got {}", who,
        width, x.defined() ? x.shape() : Shape());
  const Shape shape{x.size(0), w.weight_hh.size(1)};
  check_state(who, state, shape);
  return shape;
}

}  // namespace

Recurrent::Recurrent(const RecurrentOptions& options, int64_t gates,
                     const RegisterParameter& parameter, Generator generator)
    : options_(checked(options, gates == 3 ? "gru" : "lstm")),
      gates_(gates),
      generator_(std::move(generator)) {
  const int64_t directions = options.bidirectional ? 2 : 1, hidden = options.hidden_size;
  for (int64_t layer = 0; layer < options.num_layers; ++layer)
    for (const char* end : {"", "_reverse"}) {
      if (*end && !options.bidirectional) continue;
      weights_.push_back(make_weights(gates, layer ? directions * hidden : options.input_size,
                                      hidden, options.bias, fmt::format("_l{}{}", layer, end),
                                      parameter, generator_));
    }
}

void Recurrent::check_inputs(const Tensor& x, const RecurrentState& state,
                             const std::vector<int64_t>& lengths) const {
  check(x.defined() && x.dim() == 3 && x.size(2) == options_.input_size,
        "{}: expected [{}, {}]; got {}", name(), options_.batch_first ? "B, T" : "T, B",
        options_.input_size, x.defined() ? x.shape() : Shape());
  const int64_t batch = x.size(options_.batch_first ? 0 : 1),
                longest = x.size(options_.batch_first ? 1 : 0);
  check(longest > 0, "{}: expected at least one time step; got {}", name(), x.shape());
  check_state(name(), state, {static_cast<int64_t>(weights_.size()), batch, options_.hidden_size});
  check(gates_ == 4 || !state.cell.defined(), "{}: only an LSTM's state has a cell; got one of {}",
        name(), state.cell.defined() ? state.cell.shape() : Shape());
  const auto rows = static_cast<int64_t>(lengths.size());
  check(rows == 0 || rows == batch, "{}: expected a length for each of {} rows; got {}", name(),
        batch, rows);
  for (int64_t n : lengths)
    check(n >= 0 && n <= longest, "{}: lengths must be in [0, {}]; got {}", name(), longest, n);
}

RecurrentResult Recurrent::run_direction(const Tensor& x, const RecurrentWeights& w,
                                         const RecurrentState& first, const Tensor& within,
                                         bool backwards) const {
  const RecurrentState states = scan(x, first, w, {within, backwards});
  const Tensor output = within.defined()
                            ? where(unsqueeze(within, -1), states.hidden, zeros({}, x.dtype()))
                            : states.hidden;
  return {output, at_step(states, backwards ? 0 : x.size(0) - 1)};
}

RecurrentResult Recurrent::run(const Tensor& input, const RecurrentState& given,
                               const std::vector<int64_t>& lengths, bool training) {
  check_inputs(input, given, lengths);
  Tensor x = options_.batch_first ? transpose(input, 0, 1) : input;  // [T, B, I]
  Tensor within;  // undefined where every row has a token at every step
  if (!lengths.empty() && *std::min_element(lengths.begin(), lengths.end()) < x.size(0)) {
    within = tokens_within(lengths, x.size(0));
    x = where(unsqueeze(within, -1), x,
              zeros({}, x.dtype()));  // junk would meet the weights' gradients
  }
  const Shape all{static_cast<int64_t>(weights_.size()), x.size(1), options_.hidden_size};
  std::vector<RecurrentState> states = by_layer(filled(given, all, x.dtype(), gates_ == 4));
  const size_t directions = options_.bidirectional ? 2 : 1;
  for (size_t i = 0; i < weights_.size(); i += directions) {
    if (i > 0 && training && options_.dropout > 0)
      x = dropout(x, options_.dropout, generator_.next_key());
    Tensors outputs;
    for (size_t d = 0; d < directions; ++d) {
      const RecurrentResult r = run_direction(x, weights_[i + d], states[i + d], within, d == 1);
      outputs.push_back(r.output);
      states[i + d] = r.state;
    }
    x = directions == 1 ? outputs[0] : cat(outputs, -1);
  }
  return {options_.batch_first ? transpose(x, 0, 1) : x, joined(states)};
}

}  // namespace detail

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, Generator generator, bool bias)
    : weights_(detail::make_weights(
          3, input_size, hidden_size, bias, "",
          [this](const std::string& n, const Tensor& t) { return parameter(n, t); }, generator)) {}

Tensor GRUCell::forward(const Tensor& x, const Tensor& hidden) {
  const Shape shape = detail::checked_cell("gru cell", x, {hidden, {}}, weights_);
  return detail::one_step(x, detail::filled({hidden, {}}, shape, x.dtype(), false), weights_)
      .hidden;
}

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, Generator generator, bool bias)
    : weights_(detail::make_weights(
          4, input_size, hidden_size, bias, "",
          [this](const std::string& n, const Tensor& t) { return parameter(n, t); }, generator)) {}

RecurrentState LSTMCell::forward(const Tensor& x, const RecurrentState& state) {
  const Shape shape = detail::checked_cell("lstm cell", x, state, weights_);
  return detail::one_step(x, detail::filled(state, shape, x.dtype(), true), weights_);
}

GRU::GRU(const RecurrentOptions& options, Generator generator)
    : layers_(
          options, 3, [this](const std::string& n, const Tensor& t) { return parameter(n, t); },
          generator) {}

RecurrentResult GRU::forward(const Tensor& x, const RecurrentState& state,
                             const std::vector<int64_t>& lengths) {
  return layers_.run(x, state, lengths, training());
}

LSTM::LSTM(const RecurrentOptions& options, Generator generator)
    : layers_(
          options, 4, [this](const std::string& n, const Tensor& t) { return parameter(n, t); },
          generator) {}

RecurrentResult LSTM::forward(const Tensor& x, const RecurrentState& state,
                              const std::vector<int64_t>& lengths) {
  return layers_.run(x, state, lengths, training());
}

}  // namespace weft
