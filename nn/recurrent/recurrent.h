// Recurrent layers: the GRU (Cho et al. 2014, arXiv:1406.1078) and the LSTM (Hochreiter and
// Schmidhuber 1997, with the forget gate of Gers et al. 2000), as PyTorch computes them:
//
//   GRU:   r, z = sigmoid(W x + b + U h + c)    n = tanh(W x + b + r (U h + c))
//          h' = (1 - z) n + z h
//   LSTM:  i, f, o = sigmoid(W x + b + U h + c) g = tanh(W x + b + U h + c)
//          c' = f c + i g,  h' = o tanh(c')
//
// with the rows of W, U, b and c stacked by gate: r, z, n and i, f, g, o. Parameters have PyTorch's
// names and initial values, uniform in +-1 / sqrt(hidden_size).
#pragma once

#include <weft/nn/module.h>

#include <array>

namespace weft {

/// What a recurrent layer knows of the past: [B, hidden_size] of a cell, [num_layers * directions,
/// B, hidden_size] of a layer. Undefined as an argument: zeros. Only an LSTM has `cell`.
struct RecurrentState {
  Tensor hidden, cell;
  std::array<Tensor*, 2> tensors() { return {&hidden, &cell}; }
};

struct RecurrentResult {
  Tensor output;  ///< [T, B, directions * hidden_size], laid out like the input
  RecurrentState state;
  std::array<Tensor*, 3> tensors() { return {&output, &state.hidden, &state.cell}; }
};

struct RecurrentOptions {
  int64_t input_size;
  int64_t hidden_size;
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;    ///< [B, T, D] instead of [T, B, D]
  double dropout = 0;          ///< of what one layer hands to the next, in training
  bool bidirectional = false;  ///< each layer reads the sequence backwards too
};

namespace detail {

struct RecurrentWeights {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
};

/// Registers a parameter of the layer around.
using RegisterParameter = std::function<Tensor(const std::string&, const Tensor&)>;

/// What GRU and LSTM are but for the step.
class Recurrent {
 public:
  Recurrent(const RecurrentOptions& options, int64_t gates, const RegisterParameter& parameter,
            Generator generator);
  RecurrentResult run(const Tensor& x, const RecurrentState& state,
                      const std::vector<int64_t>& lengths, bool training);

 private:
  const char* name() const { return gates_ == 3 ? "gru" : "lstm"; }
  void check_inputs(const Tensor& x, const RecurrentState& state,
                    const std::vector<int64_t>& lengths) const;
  RecurrentResult run_direction(const Tensor& x, const RecurrentWeights& w,
                                const RecurrentState& first, const Tensor& within,
                                bool backwards) const;

  RecurrentOptions options_;
  int64_t gates_;
  std::vector<RecurrentWeights> weights_;  // by layer, then direction
  Generator generator_;
};

}  // namespace detail

/// torch.nn.GRUCell: one step. Parameters `weight_ih` [3 H, I], `weight_hh` [3 H, H], `bias_ih`,
/// `bias_hh` [3 H].
class GRUCell : public Layer<GRUCell> {
 public:
  GRUCell(int64_t input_size, int64_t hidden_size, Generator generator, bool bias = true);

  /// x [B, I], hidden [B, H] or undefined -> [B, H].
  Tensor forward(const Tensor& x, const Tensor& hidden = {});

 private:
  detail::RecurrentWeights weights_;
};

/// torch.nn.LSTMCell: the same with 4 H rows.
class LSTMCell : public Layer<LSTMCell> {
 public:
  LSTMCell(int64_t input_size, int64_t hidden_size, Generator generator, bool bias = true);

  RecurrentState forward(const Tensor& x, const RecurrentState& state = {});

 private:
  detail::RecurrentWeights weights_;
};

/// torch.nn.GRU. Parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then the
/// same with `_reverse` where it is bidirectional, then `_l1` and so on.
class GRU : public Layer<GRU> {
 public:
  GRU(const RecurrentOptions& options, Generator generator);

  /// x [T, B, I] -> output and last state. With `lengths`, one per row of the batch, what follows
  /// the end of a row is neither read nor written: its outputs are zeros, its state is that at its
  /// end, and backwards it begins there (pack_padded_sequence in PyTorch).
  RecurrentResult forward(const Tensor& x, const RecurrentState& state = {},
                          const std::vector<int64_t>& lengths = {});

 private:
  detail::Recurrent layers_;
};

/// torch.nn.LSTM, in the same way.
class LSTM : public Layer<LSTM> {
 public:
  LSTM(const RecurrentOptions& options, Generator generator);

  RecurrentResult forward(const Tensor& x, const RecurrentState& state = {},
                          const std::vector<int64_t>& lengths = {});

 private:
  detail::Recurrent layers_;
};

}  // namespace weft
